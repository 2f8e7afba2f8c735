import type { Grid } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { numberText } from '../ui/numbers.js';
import { changeText, compareMetric, type ColumnGroup, type GridMetricRow } from './model.js';
import type { GridWindow } from './window.js';

/** Medians below the same columns as the verdicts, each against the first build of its combination. */
export function MetricRows({
  grid,
  groups,
  starts,
  matches,
  dense,
  shown: { fromColumn, toColumn },
}: {
  grid: Grid;
  groups: readonly ColumnGroup[];
  starts: ReadonlySet<number>;
  matches: (text: string) => boolean;
  dense: boolean;
  shown: GridWindow;
}): ReactNode {
  const columns = grid.columns.slice(fromColumn, toColumn).map((_, index) => fromColumn + index);
  const before = fromColumn === 0 ? null : <td colSpan={fromColumn} aria-hidden="true" />;
  const beyond = grid.columns.length - toColumn;
  const after = beyond === 0 ? null : <td colSpan={beyond} aria-hidden="true" />;
  const shown = grid.metrics.filter(({ suite, name }) => matches(`${suite}/${name}`));
  const suites = [...new Set(shown.map(({ suite }) => suite))];
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
            {before}
            {columns.map((column) => (
              <td key={column} className={starts.has(column) ? 'metric group-start' : 'metric'}>
                <MetricCell row={row} column={column} groups={groups} grid={grid} dense={dense} />
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
  groups,
  grid,
  dense,
}: {
  row: GridMetricRow;
  column: number;
  groups: readonly ColumnGroup[];
  grid: Grid;
  dense: boolean;
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
  if (dense) {
    return (
      <span className={`dense-metric ${tone}`} title={title}>
        <span aria-hidden="true">{change === null || !change.clear ? '·' : change.factor >= 1 ? '▲' : '▼'}</span>
        <span className="unseen">{title}</span>
      </span>
    );
  }
  return (
    <div className="metric-box" title={title}>
      <span className="number">{numberText(value.median)}</span>
      {change !== null && <span className={`change ${tone}`}>{changeText(change)}</span>}
      <span className="metric-bar" aria-hidden="true" style={{ width: `${(value.median / largest) * 100}%` }} />
    </div>
  );
}
