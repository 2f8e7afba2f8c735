import type { Comparison } from './measure.js';

/** What a whole run of the measurements found. */
export interface Report {
  scale: number;
  node: string;
  cores: number;
  seconds: number;
  comparisons: Comparison[];
}

/** Figures of a few significant digits, thousands grouped. */
function figure(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3);
}

/** The report as a plain text table, the worst ratio below it. */
export function table({ scale, node, cores, seconds, comparisons }: Report): string {
  const head = ['measured', 'controller', 'floor', 'unit', 'ratio', 'the floor is'];
  const rows = comparisons.map(({ what, controller, floor, unit, ratio, floorIs }) => [
    what,
    figure(controller),
    figure(floor),
    unit,
    ratio.toFixed(1),
    floorIs,
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const rightAligned = new Set([1, 2, 4]);
  const line = (cells: string[]): string =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return rightAligned.has(column) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  const worst = comparisons.toSorted((a, b) => b.ratio - a.ratio)[0];
  return [
    line(head),
    line(widths.map((width) => '-'.repeat(width))),
    ...rows.map(line),
    '',
    `scale ${scale}, Node.js ${node}, ${cores} cores, ${Math.round(seconds)} s`,
    ...(worst === undefined ? [] : [`worst ratio: ${worst.ratio.toFixed(1)} (${worst.what}; ${worst.floorIs})`]),
    '',
  ].join('\n');
}
