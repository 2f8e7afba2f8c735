import type { BootSpread, ComparedMetric, ComparedSide, Comparison } from '../../schema/compare.js';
import { isVirtual, RATIOS_ONLY } from '../combination.js';
import { sizeText } from '../message-size.js';
import { saysText, whyText } from '../significance/words.js';
import { type SizeSeries, sizeSeries } from '../size-series.js';
import { unitText } from '../unit.js';
import { figureText } from './figure.js';

/**
 * A comparison by message size as Markdown whose tables also line up as plain text: for a cover letter. Web and CLI both
 * give this text. Empty when no metric has a size.
 */
export function renderSizes(comparison: Comparison): string {
  const { a, b, combinations, metrics, metricsTotal } = comparison;
  const all = sizeSeries(metrics);
  if (all.length === 0) return '';
  const labelOf = (index: number): string => combinations[index]?.combination.label ?? '?';
  const used = new Set(all.map(({ combination }) => combination));
  const parts = [
    `## ${oneLine(b.kernel.name)} against ${oneLine(a.kernel.name)}, by message size`,
    [sideLine('A', a), sideLine('B', b)].join('\n'),
    howMeasured(comparison),
    [...used].some((index) => combinations[index] !== undefined && isVirtual(combinations[index].combination.identity))
      ? RATIOS_ONLY
      : '',
    ...all.flatMap((series) => [
      `### ${oneLine(`${series.suite}/${series.series}`)} on ${oneLine(labelOf(series.combination))}`,
      table(series, a, b),
    ]),
    metrics.length < metricsTotal
      ? `${metrics.length} of ${metricsTotal} metrics are here, those that moved first: choose one combination for all of its sizes.`
      : '',
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

const oneLine = (text: string): string => text.replaceAll(/[\r\n]+/g, ' ');

function sideLine(letter: string, { run, kernel }: ComparedSide): string {
  const release = kernel.release === null ? '' : `, ${kernel.release}`;
  return `- ${letter}: \`${oneLine(kernel.name)}\`${release}, run ${oneLine(run.name)} (${run.id}), ${run.createdAt}`;
}

function howMeasured({ a, b }: Comparison): string {
  const order =
    a.run.id === b.run.id
      ? 'Both kernels were booted in turns on the same machines, in one run.'
      : 'The kernels were measured in different runs.';
  return `${order} Median of the boots, lowest to highest boot; n is boots, and samples of all of them. B ÷ A has its 95 % interval.`;
}

const HEADS = ['size', 'A', 'B', 'B ÷ A', 'n (A, B)', ''];

function table({ unit, better, points }: SizeSeries, a: ComparedSide, b: ComparedSide): string {
  const head = HEADS.map((text) => (text === 'A' ? `A ${a.kernel.name}` : text === 'B' ? `B ${b.kernel.name}` : text));
  const rows = points.map(({ bytes, metric }) => [
    sizeText(bytes),
    spreadText(metric.a),
    spreadText(metric.b),
    ratioText(metric.ratio),
    `${countsText(metric.a)}, ${countsText(metric.b)}`,
    judgementText(metric),
  ]);
  return `${unitText(unit)}, ${better} is better\n\n${lineUp([head, ...rows])}`;
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

function judgementText(metric: ComparedMetric): string {
  const why = whyText(metric);
  return why === '' ? saysText(metric) : `${saysText(metric)}: ${why}`;
}

/** A Markdown table with columns of equal width: the first line is its head. */
function lineUp(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map((cell) => oneLine(cell).replaceAll('|', '\\|')));
  const widths = (cells[0] ?? []).map((_, column) => Math.max(3, ...cells.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => (column === 0 || column === row.length - 1 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`;
  const rule = `|${widths.map((width, column) => (column === 0 || column === widths.length - 1 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  const [head = [], ...body] = cells;
  return [line(head), rule, ...body.map(line)].join('\n');
}

const OF_SIDE = ['kernel', 'median', 'lowest', 'highest', 'boots', 'samples'];
const CSV_HEADS = [
  'suite,series,unit,better,combination,bytes'.split(','),
  OF_SIDE.map((name) => `a_${name}`),
  OF_SIDE.map((name) => `b_${name}`),
  'ratio,ratio_low,ratio_high,says,why,p'.split(','),
].flat();

/** The same as CSV with every digit (RFC 4180), a line for each size; the head alone when no metric has a size. */
export function sizesCsv({ a, b, combinations, metrics }: Comparison): string {
  const rows = sizeSeries(metrics).flatMap(({ suite, series, unit, better, combination, points }) =>
    points.map(({ bytes, metric }) => [
      suite,
      series,
      unit,
      better,
      combinations[combination]?.combination.label ?? '',
      bytes,
      a.kernel.name,
      ...spreadCells(metric.a),
      b.kernel.name,
      ...spreadCells(metric.b),
      metric.ratio?.value ?? '',
      metric.ratio?.low ?? '',
      metric.ratio?.high ?? '',
      metric.says,
      metric.why ?? '',
      metric.p ?? '',
    ]),
  );
  return [CSV_HEADS, ...rows].map((row) => `${row.map(csvCell).join(',')}\r\n`).join('');
}

function spreadCells(spread: BootSpread | null): (number | string)[] {
  if (spread === null) return ['', '', '', '', ''];
  const { median, lowest, highest, boots, n } = spread;
  return [median, lowest, highest, boots, n];
}

/** A spreadsheet takes a text that begins like a formula for one; suites and kernels are named by strangers. */
function csvCell(value: number | string): string {
  if (typeof value === 'number') return String(value);
  const text = /^[=+\-@\t]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
