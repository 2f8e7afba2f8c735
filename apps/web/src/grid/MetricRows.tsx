import type { Grid } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { numberText } from '../ui/numbers.js';
import { changeText, compareMetric, type ColumnGroup, type GridMetricRow } from './model.js';

/** Medians below the same columns as the verdicts, each against the first build of its combination. */
export function MetricRows({
  grid,
  groups,
  starts,
  matches,
}: {
  grid: Grid;
  groups: readonly ColumnGroup[];
  starts: ReadonlySet<number>;
  matches: (text: string) => boolean;
}): ReactNode {
  const shown = grid.metrics.filter(({ suite, name }) => matches(`${suite}/${name}`));
  const suites = [...new Set(shown.map(({ suite }) => suite))];
  return suites.map((suite) => (
    <tbody key={suite} className="metrics">
      <tr className="suite-row">
        <th scope="row" className="row-head">
          {suite} <span className="muted">medians</span>
        </th>
        {grid.columns.map((_, column) => (
          <td key={column} className={starts.has(column) ? 'group-start' : ''} />
        ))}
      </tr>
      {shown
        .filter((row) => row.suite === suite)
        .map((row) => (
          <tr key={row.name}>
            <th scope="row" className="row-head test-name">
              {row.name}{' '}
              <span className="muted" title={`${row.better} is better`}>
                {row.unit} <span aria-hidden="true">{row.better === 'lower' ? '↓' : '↑'}</span>
                <span className="unseen">{row.better} is better</span>
              </span>
            </th>
            {grid.columns.map((_, column) => (
              <td key={column} className={starts.has(column) ? 'metric group-start' : 'metric'}>
                <MetricCell row={row} column={column} groups={groups} grid={grid} />
              </td>
            ))}
          </tr>
        ))}
    </tbody>
  ));
}

function MetricCell({
  row,
  column,
  groups,
  grid,
}: {
  row: GridMetricRow;
  column: number;
  groups: readonly ColumnGroup[];
  grid: Grid;
}): ReactNode {
  const value = row.values[column];
  if (value == null) return null;
  const group = groups.find((each) => each.columns.includes(column));
  const change = group === undefined ? null : compareMetric(row, column, group);
  const largest = Math.max(...row.values.map((each) => each?.median ?? 0));
  const title = [
    `median ${numberText(value.median)} ${row.unit}, n = ${value.n}`,
    `quartiles ${numberText(value.lowerQuartile)} … ${numberText(value.upperQuartile)}`,
    ...(change === null ? [] : [`${changeText(change)} than build ${grid.columns[change.against]?.build.name ?? ''}`]),
  ].join('\n');
  const tone = change === null || !change.clear ? 'muted' : change.factor >= 1 ? 'tone-good' : 'tone-bad';
  return (
    <div className="metric-box" title={title}>
      <span className="number">{numberText(value.median)}</span>
      {change !== null && <span className={`change ${tone}`}>{changeText(change)}</span>}
      <span className="metric-bar" aria-hidden="true" style={{ width: `${(value.median / largest) * 100}%` }} />
    </div>
  );
}
