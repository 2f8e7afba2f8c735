import { VERDICT_TABLE } from '../../schema/verdict.js';
import { sizeText } from '../message-size.js';
import type { TwoSidedMatrix, twoSidedSizes } from '../two-sided.js';
import { unitText } from '../unit.js';
import { figureText } from './figure.js';
import { alignedTable, markdownTable, oneLine } from './table.js';

/** A two-sided matrix and its figures by message size as Markdown; web and CLI both give this text. */
export function renderTwoSided(
  { rows, columns, cells }: TwoSidedMatrix,
  { kernels, series }: ReturnType<typeof twoSidedSizes>,
): string {
  const parts = [
    `## Kernel by kernel: ${oneLine(rows.role)} down, ${oneLine(columns.role)} across`,
    markdownTable(
      [rows.role, ...columns.builds],
      rows.builds.map((build, row) => [build, ...(cells[row] ?? []).map(cellText)]),
    ),
    ...series.flatMap(({ suite, series: name, unit, better, points }) => [
      `### ${oneLine(`${suite}/${name}`)}`,
      `${unitText(unit)}, ${better} is better; medians`,
      alignedTable(
        ['size', ...kernels, ''],
        points.map(({ bytes, values }) => [
          sizeText(bytes),
          ...values.map((value) => (value === null ? '–' : figureText(value.median))),
          '',
        ]),
      ),
    ]),
  ];
  return `${parts.join('\n\n')}\n`;
}

function cellText({ jobs }: TwoSidedMatrix['cells'][number][number]): string {
  if (jobs.length === 0) return '–';
  const counts = new Map<string, number>();
  for (const { verdict } of jobs) {
    const label = verdict === null ? 'running' : VERDICT_TABLE[verdict].label;
    counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  return [...counts].map(([label, count]) => (count === 1 ? label : `${count} × ${label}`)).join(', ');
}
