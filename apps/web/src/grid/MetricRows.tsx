import { Link } from '@tanstack/react-router';
import type { Grid } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { numberText } from '../ui/numbers.js';
import type { GridFrame } from './rows.js';
import { metricFacts, toneOf } from './metrics.js';
import { changeText, compareMetric, groupOf, type ColumnGroup, type GridMetricRow } from './model.js';

/** Medians below the same columns as the verdicts, each against the first build of its combination. */
export function MetricRows({
  grid,
  metrics,
  groups,
  starts,
  dense,
  shown: { fromColumn, toColumn },
}: GridFrame & {
  grid: Grid;
  /** Those that are shown. */
  metrics: readonly GridMetricRow[];
  groups: readonly ColumnGroup[];
  starts: ReadonlySet<number>;
}): ReactNode {
  const columns = grid.columns.slice(fromColumn, toColumn).map((_, index) => fromColumn + index);
  const before = fromColumn === 0 ? null : <td colSpan={fromColumn} aria-hidden="true" />;
  const beyond = grid.columns.length - toColumn;
  const after = beyond === 0 ? null : <td colSpan={beyond} aria-hidden="true" />;
  const suites = [...new Set(metrics.map(({ suite }) => suite))];
  return suites.map((suite) => (
    <tbody key={suite} className="metrics">
      <tr className="suite-row">
        <th scope="row" className="row-head">
          {suite} <span className="muted">medians</span>
        </th>
        {before}
        {columns.map((column) => (
          <td key={column} className={starts.has(column) ? 'group-start' : ''} />
        ))}
        {after}
      </tr>
      {metrics
        .filter((row) => row.suite === suite)
        .map((row) => (
          <tr key={`${row.name}/${row.unit}/${row.better}`}>
            <th scope="row" className="row-head test-name">
              <Link to="/trends" search={{ suite, metric: row.name }} title="trend of this metric on every combination">
                {row.name}
              </Link>{' '}
              <span className="muted" title={`${row.better} is better`}>
                {row.unit} <span aria-hidden="true">{row.better === 'lower' ? '↓' : '↑'}</span>
                <span className="unseen">{row.better} is better</span>
              </span>
            </th>
            {before}
            {columns.map((column) => (
              <td key={column} className={starts.has(column) ? 'metric group-start' : 'metric'}>
                <MetricCell row={row} column={column} group={groupOf(groups, column)} grid={grid} dense={dense} />
              </td>
            ))}
            {after}
          </tr>
        ))}
    </tbody>
  ));
}

function MetricCell({
  row,
  column,
  group,
  grid,
  dense,
}: {
  row: GridMetricRow;
  column: number;
  group: ColumnGroup | undefined;
  grid: Grid;
  dense: boolean;
}): ReactNode {
  const value = row.values[column];
  if (value == null || group === undefined) return null;
  const change = compareMetric(row, column, group);
  const largest = Math.max(...row.values.map((each) => each?.median ?? 0));
  const title = metricFacts(row, column, group, grid.columns).join('\n');
  const tone = toneOf(change);
  return (
    <Link
      to="/trends"
      search={{ suite: row.suite, metric: row.name, combination: group.combination.hash }}
      className={dense ? `dense-metric ${tone}` : 'metric-box'}
      title={`${title}\nopens its trend on this combination`}
      {...(dense && { 'aria-label': title })}
      // The row's header has the way for the keyboard: hundreds of columns would be hundreds of stops.
      tabIndex={-1}
    >
      {dense ? (
        <span aria-hidden="true">{change === null || !change.clear ? '·' : change.factor >= 1 ? '▲' : '▼'}</span>
      ) : (
        <>
          <span className="number">{numberText(value.median)}</span>
          {change !== null && <span className={`change ${tone}`}>{changeText(change)}</span>}
          <span className="metric-bar" aria-hidden="true" style={{ width: `${(value.median / largest) * 100}%` }} />
        </>
      )}
    </Link>
  );
}
