import type { BootSpread, Comparison } from '../../schema/compare.js';
import { sizeText } from '../message-size.js';
import { seriesName, type SizeSeries, sizeSeries } from '../size-series.js';
import { unitText } from '../unit.js';
import { placeLabel, MEASURED_HEADS, MEASURED_HOW, measuredCells, ratiosOnlyText, sidesText } from './compared.js';
import { csvText } from './csv.js';
import { alignedTable, oneLine } from './table.js';

/**
 * A comparison by message size as Markdown whose tables also line up as plain text: for a cover letter. Web and CLI both
 * give this text. Empty when no metric has a size.
 */
export function renderSizes(comparison: Comparison): string {
  const { a, b, metrics, metricsTotal } = comparison;
  const all = sizeSeries(metrics);
  if (all.length === 0) return '';
  const parts = [
    `## ${oneLine(b.kernel.name)} against ${oneLine(a.kernel.name)}, by message size`,
    sidesText(comparison),
    howMeasured(comparison),
    ratiosOnlyText(comparison, new Set(all.map(({ combination }) => combination))),
    ...all.flatMap((series) => [
      `### ${oneLine(`${series.suite}/${seriesName(series)}`)} on ${oneLine(placeLabel(comparison, series.combination))}`,
      table(series, comparison),
    ]),
    metrics.length < metricsTotal
      ? `${metrics.length} of ${metricsTotal} metrics are here, those that moved first: choose one combination for all of its sizes.`
      : '',
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function howMeasured({ a, b }: Comparison): string {
  const order =
    a.run.id === b.run.id
      ? 'Both kernels were booted in turns on the same machines, in one run.'
      : 'The kernels were measured in different runs.';
  return `${order} ${MEASURED_HOW}`;
}

function table({ unit, better, points }: SizeSeries, { a, b }: Comparison): string {
  const [, , ...rest] = MEASURED_HEADS;
  return `${unitText(unit)}, ${better} is better\n\n${alignedTable(
    ['size', `A ${a.kernel.name}`, `B ${b.kernel.name}`, ...rest],
    points.map(({ bytes, metric }) => [sizeText(bytes), ...measuredCells(metric)]),
  )}`;
}

const OF_SIDE = ['kernel', 'median', 'lowest', 'highest', 'boots', 'samples'];
const csvHeads = (isByRole: boolean): string[] =>
  [
    ['suite', 'series', ...(isByRole ? ['measured_by'] : [])],
    'unit,better,combination,bytes'.split(','),
    OF_SIDE.map((name) => `a_${name}`),
    OF_SIDE.map((name) => `b_${name}`),
    'ratio,ratio_low,ratio_high,says,why,p'.split(','),
  ].flat();

/**
 * The same as CSV with every digit (RFC 4180), a line for each size; the head alone when no metric has a size. Where a role of
 * several measured any, a column `measured_by` has it.
 */
export function sizesCsv({ a, b, combinations, metrics }: Comparison): string {
  const all = sizeSeries(metrics);
  const isByRole = all.some(({ role }) => role !== undefined);
  const rows = all.flatMap(({ suite, series, role = '', unit, better, combination, points }) =>
    points.map(({ bytes, metric }) => [
      suite,
      series,
      ...(isByRole ? [role] : []),
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
  return csvText([csvHeads(isByRole), ...rows]);
}

function spreadCells(spread: BootSpread | null): (number | string)[] {
  if (spread === null) return ['', '', '', '', ''];
  const { median, lowest, highest, boots, n } = spread;
  return [median, lowest, highest, boots, n];
}
