import { CHANGE_CLASSES, CHANGE_TABLE, type Comparison } from '../../schema/compare.js';
import { metricPath } from '../metric-name.js';
import { unitText } from '../unit.js';
import { placeLabel, MEASURED_HEADS, MEASURED_HOW, measuredCells, ratiosOnlyText, sidesText } from './compared.js';
import { markdownTable, oneLine } from './table.js';

/** A comparison as Markdown: both sides, counts by combination, tests and metrics. Says how much the answer left out. */
export function renderComparison(comparison: Comparison): string {
  const { a, b, combinations, rows, rowsTotal, metrics, metricsTotal } = comparison;
  const used = CHANGE_CLASSES.filter((name) => combinations.some(({ counts }) => (counts[name] ?? 0) > 0));
  const parts = [
    `## ${oneLine(b.kernel.name)} against ${oneLine(a.kernel.name)}`,
    sidesText(comparison),
    markdownTable(
      ['combination', ...used],
      combinations.map(({ counts }, index) => [
        placeLabel(comparison, index),
        ...used.map((name) => String(counts[name] ?? 0)),
      ]),
    ),
    used.map((name) => `- ${CHANGE_TABLE[name].icon} ${name}: ${CHANGE_TABLE[name].help}`).join('\n'),
  ];
  if (rows.length > 0) {
    parts.push(
      '### Tests',
      markdownTable(
        ['', 'test', 'combination', 'A', 'B', 'reason'],
        rows.map((row) => [
          row.class,
          `${row.suite}/${row.test}`,
          placeLabel(comparison, row.combination),
          row.a?.verdict ?? '',
          row.b?.verdict ?? '',
          row.b?.reason ?? row.a?.reason ?? '',
        ]),
      ),
      leftOut(rows.length, rowsTotal, 'tests'),
    );
  }
  if (metrics.length > 0) {
    parts.push(
      '### Metrics',
      ratiosOnlyText(comparison, combinations.keys()),
      MEASURED_HOW,
      markdownTable(
        ['metric', 'combination', ...MEASURED_HEADS],
        metrics.map((metric) => [
          `${metricPath(metric)} (${unitText(metric.unit)}, ${metric.better} is better)`,
          placeLabel(comparison, metric.combination),
          ...measuredCells(metric),
        ]),
      ),
      leftOut(metrics.length, metricsTotal, 'metrics'),
    );
  }
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function leftOut(shown: number, total: number, what: string): string {
  return shown >= total
    ? ''
    : `${shown} of ${total} ${what} are here, those that tell the most: choose one combination to see more of it.`;
}
