import { VERDICT_TABLE } from '../../schema/verdict.js';
import { sizeText } from '../message-size.js';
import {
  isBootedOnce,
  type TwoSidedFigure,
  type TwoSidedMatrix,
  type TwoSidedSeries,
  type TwoSidedSizes,
} from '../two-sided.js';
import { unitText } from '../unit.js';
import { csvText } from './csv.js';
import { figureText } from './figure.js';
import { alignedTable, markdownTable, oneLine } from './table.js';

/** What a figure of a pair of kernels is. */
export const TWO_SIDED_HOW =
  'Median of the boots, lowest to highest boot; n is boots, and samples of all of them. A boot is one of both machines.';
export const BOOTED_ONCE =
  'Each pair of kernels was booted once: these figures say nothing about a difference between kernels. “repeat” in the run file boots them several times, in turns.';

/** A two-sided matrix and its figures by message size as Markdown; web and CLI both give this text. */
export function renderTwoSided({ rows, columns, cells }: TwoSidedMatrix, sizes: TwoSidedSizes): string {
  const parts = [
    `## Kernel by kernel: ${oneLine(rows.role)} down, ${oneLine(columns.role)} across`,
    markdownTable(
      [rows.role, ...columns.builds],
      rows.builds.map((build, row) => [build, ...(cells[row] ?? []).map(cellText)]),
    ),
    renderTwoSidedSizes(sizes),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

/** The figures by message size alone, for a cover letter: the tables line up as plain text. Empty when there are none. */
export function renderTwoSidedSizes(sizes: TwoSidedSizes): string {
  if (sizes.series.length === 0) return '';
  return [
    '## By message size',
    TWO_SIDED_HOW,
    ...(isBootedOnce(sizes) ? [BOOTED_ONCE] : []),
    ...sizes.series.map((series) => seriesText(series, sizes)),
  ].join('\n\n');
}

function seriesText({ suite, series, role, unit, better, points }: TwoSidedSeries, { kernels }: TwoSidedSizes): string {
  const counts = new Set(points.flatMap(({ values }) => values.flatMap((value) => value ?? []).map(countText)));
  const [count] = counts;
  const isEqual = counts.size === 1;
  return [
    `### ${oneLine(`${suite}/${series}`)}`,
    `${unitText(unit)}, ${better} is better, measured by ${role}${isEqual ? `; n = ${count}` : ''}`,
    alignedTable(
      ['size', ...kernels.map(({ name }) => name), ''],
      points.map(({ bytes, values }) => [
        sizeText(bytes),
        ...values.map((value) => (value === null ? '–' : valueText(value, isEqual))),
        '',
      ]),
    ),
  ].join('\n\n');
}

const countText = ({ boots, n }: TwoSidedFigure): string => `${boots}/${n}`;

function valueText(value: TwoSidedFigure, isCounted: boolean): string {
  const { median, lowest, highest, boots } = value;
  const spread = boots > 1 ? ` (${figureText(lowest)}–${figureText(highest)})` : '';
  return `${figureText(median)}${spread}${isCounted ? '' : `, n = ${countText(value)}`}`;
}

/** The figures by message size as CSV with every digit: a line for each size and pair of kernels that was measured. */
export function twoSidedCsv({ kernels, series }: TwoSidedSizes): string {
  const roles = kernels[0]?.sides.map(({ role }) => role) ?? [];
  const head = ['suite', 'series', 'measured_by', 'unit', 'better', 'bytes', ...roles.map((role) => `kernel_${role}`)];
  return csvText([
    [...head, 'median', 'lowest', 'highest', 'boots', 'samples'],
    ...series.flatMap(({ suite, series: name, role, unit, better, points }) =>
      points.flatMap(({ bytes, values }) =>
        values.flatMap((value, column) => {
          if (value === null) return [];
          const sides = kernels[column]?.sides ?? [];
          const builds = roles.map((of) => sides.find((side) => side.role === of)?.build ?? '');
          const { median, lowest, highest, boots, n } = value;
          return [[suite, name, role, unit, better, bytes, ...builds, median, lowest, highest, boots, n]];
        }),
      ),
    ),
  ]);
}

function cellText({ jobs }: TwoSidedMatrix['cells'][number][number]): string {
  if (jobs.length === 0) return '–';
  const counts = new Map<string, number>();
  for (const { verdict, attemptId } of jobs) {
    const label = verdict !== null ? VERDICT_TABLE[verdict].label : attemptId === null ? 'not begun' : 'running';
    counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  return [...counts].map(([label, count]) => (count === 1 ? label : `${count} × ${label}`)).join(', ');
}
