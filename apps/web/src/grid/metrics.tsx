import type { Grid } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { numberText } from '../ui/numbers.js';
import { changeText, compareMetric, type ColumnGroup, type GridMetricRow, type MetricChange } from './model.js';

/** Median, samples, quartiles and what became of it since the base, as lines of a title. */
export function metricFacts(
  row: GridMetricRow,
  column: number,
  group: ColumnGroup,
  columns: Grid['columns'],
): string[] {
  const value = row.values[column];
  if (value == null) return [];
  const change = compareMetric(row, column, group);
  return [
    `${row.name}: median ${numberText(value.median)} ${row.unit}, n = ${value.n}`,
    `quartiles ${numberText(value.lowerQuartile)} … ${numberText(value.upperQuartile)}, ${row.better} is better`,
    ...(change === null ? [] : [`${changeText(change)} than build ${columns[change.against]?.build.name ?? ''}`]),
  ];
}

/** Class of a change's colour: no claim, no colour. */
export function toneOf(change: MetricChange | null): string {
  if (change === null || !change.clear) return 'muted';
  return change.factor >= 1 ? 'tone-good' : 'tone-bad';
}

/** What a test measured in one column, beside its verdict: the first metric, and how many more there are. */
export function MetricBeside({
  metrics,
  column,
  group,
  dense,
}: {
  metrics: readonly GridMetricRow[];
  column: number;
  group: ColumnGroup;
  dense: boolean;
}): ReactNode {
  const [first, ...rest] = metrics.filter((row) => row.values[column] != null);
  const value = first?.values[column];
  if (first === undefined || value == null) return null;
  const change = compareMetric(first, column, group);
  const isClear = change?.clear === true;
  if (dense) return isClear ? <span className={toneOf(change)}>{change.factor >= 1 ? '▲' : '▼'}</span> : null;
  return (
    <span className="cell-metric">
      <span>
        <span className="number strong">{numberText(value.median)}</span> <span className="muted">{first.unit}</span>
        {rest.length > 0 && <span className="muted"> +{rest.length}</span>}
      </span>
      {change !== null && <span className={`change ${toneOf(change)}`}>{changeText(change)}</span>}
    </span>
  );
}
