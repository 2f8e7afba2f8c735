import type { BootSpread, ComparedMetric, ComparedSide, Comparison } from '../../schema/compare.js';
import { isVirtual, RATIOS_ONLY } from '../combination.js';
import { gitTitle } from '../git-source.js';
import { saysText, whyText } from '../significance/words.js';
import { figureText } from './figure.js';
import { oneLine } from './table.js';

/** What the texts of a comparison have in common: with all tests and metrics, and by message size. */

/** Both sides, a line each: kernel, release, run and when it was submitted. */
export const sidesText = ({ a, b }: Pick<Comparison, 'a' | 'b'>): string => `${sideLine('A', a)}\n${sideLine('B', b)}`;

function sideLine(letter: string, { run, kernel }: ComparedSide): string {
  const release = kernel.release === null ? '' : `, ${kernel.release}`;
  const source = kernel.git === null ? '' : `, ${oneLine(gitTitle(kernel.git))}`;
  return `- ${letter}: \`${oneLine(kernel.name)}\`${release}${source}, run ${oneLine(run.name)} (${run.id}), ${run.createdAt}`;
}

/** Name of a combination by its place in the comparison, with the machine where machines are told apart. */
export function placeLabel({ combinations }: Pick<Comparison, 'combinations'>, index: number): string {
  const found = combinations[index];
  if (found === undefined) return '?';
  return found.machine === undefined ? found.combination.label : `${found.combination.label} on ${found.machine}`;
}

/** RATIOS_ONLY when one of these combinations is virtual, else nothing. */
export function ratiosOnlyText({ combinations }: Pick<Comparison, 'combinations'>, used: Iterable<number>): string {
  const isAny = [...used].some((index) => {
    const found = combinations[index];
    return found !== undefined && isVirtual(found.combination.identity);
  });
  return isAny ? RATIOS_ONLY : '';
}

/** Heads of the columns that `measuredCells` fills. */
export const MEASURED_HEADS = ['A', 'B', 'B ÷ A', 'n (A, B)', ''] as const;
/** What those columns are. */
export const MEASURED_HOW =
  'Median of the boots, lowest to highest boot; n is boots, and samples of all of them. B ÷ A has its 95 % interval.';

/** A metric of a comparison: both sides, ratio, how often it was measured, and what that says, with the reason. */
export function measuredCells(metric: ComparedMetric): string[] {
  const why = whyText(metric);
  return [
    spreadText(metric.a),
    spreadText(metric.b),
    ratioText(metric.ratio),
    `${countsText(metric.a)}, ${countsText(metric.b)}`,
    why === '' ? saysText(metric) : `${saysText(metric)}: ${why}`,
  ];
}

function spreadText(spread: BootSpread | null): string {
  if (spread === null) return '–';
  const { median, lowest, highest, boots } = spread;
  return boots > 1 ? `${figureText(median)} (${figureText(lowest)}–${figureText(highest)})` : figureText(median);
}

const countsText = (spread: BootSpread | null): string => (spread === null ? '–' : `${spread.boots}/${spread.n}`);

function ratioText(ratio: ComparedMetric['ratio']): string {
  if (ratio === null) return '–';
  const { value, low, high } = ratio;
  const interval = low === null || high === null ? '' : ` (${figureText(low)}–${figureText(high)})`;
  return `×${figureText(value)}${interval}`;
}
