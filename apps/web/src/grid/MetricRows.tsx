import { Link } from '@tanstack/react-router';
import { metricId, metricName, RATIOS_ONLY, unitText } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { numberText } from '../ui/numbers.js';
import type { GridFrame } from './rows.js';
import { changeSign, ChangeMark, metricFacts, toneOf, type MetricFrame, type MetricRoom } from './metrics.js';
import { compareMetric, type GridMetricRow } from './model.js';

/** Medians below the columns of the verdicts, each compared with the column that the frame names. */
export function MetricRows({
  metrics,
  frame,
  only,
  columns: count,
  starts,
  room,
  shown: { fromColumn, toColumn },
}: Pick<GridFrame, 'shown'> & {
  /** Those that are shown. */
  metrics: readonly GridMetricRow[];
  frame: MetricFrame;
  /** Hash of the combination when all columns are of the same one. */
  only?: string | undefined;
  /** How many there are. */
  columns: number;
  starts: ReadonlySet<number>;
  room: MetricRoom;
}): ReactNode {
  const columns = Array.from({ length: toColumn - fromColumn }, (_, index) => fromColumn + index);
  const before = fromColumn === 0 ? null : <td colSpan={fromColumn} aria-hidden="true" />;
  const after = toColumn === count ? null : <td colSpan={count - toColumn} aria-hidden="true" />;
  const suites = [...new Set(metrics.map(({ suite }) => suite))];
  const tables = suites.map((suite) => (
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
          <tr key={metricId(row)}>
            <th scope="row" className="row-head test-name">
              <Link
                to="/trends"
                search={{ suite, metric: row.name, combination: only }}
                title={`trend of this metric on ${only === undefined ? 'every' : 'this'} combination`}
              >
                {metricName(row)}
              </Link>{' '}
              <span className="muted" title={`${row.better} is better`}>
                {unitText(row.unit)} <span aria-hidden="true">{row.better === 'lower' ? '↓' : '↑'}</span>
                <span className="unseen">{row.better} is better</span>
              </span>
            </th>
            {before}
            {columns.map((column) => (
              <td key={column} className={starts.has(column) ? 'metric group-start' : 'metric'}>
                <MetricCell row={row} column={column} frame={frame} room={room} />
              </td>
            ))}
            {after}
          </tr>
        ))}
    </tbody>
  ));
  if (!frame.isVirtual || suites.length === 0) return tables;
  return (
    <>
      <tbody className="ratios-row">
        <tr>
          <td colSpan={count + 1}>
            <p className="muted">{RATIOS_ONLY}</p>
          </td>
        </tr>
      </tbody>
      {tables}
    </>
  );
}

function MetricCell({
  row,
  column,
  frame,
  room,
}: {
  row: GridMetricRow;
  column: number;
  frame: MetricFrame;
  room: MetricRoom;
}): ReactNode {
  const value = row.values[column];
  if (value == null) return null;
  const change = compareMetric(row, column, frame.againstOf(column), frame.isClear);
  const largest = Math.max(...row.values.map((each) => each?.median ?? 0));
  const title = metricFacts(row, column, frame).join('\n');
  const isSmall = room === 'dense' || room === 'number';
  // A share of the same length in every column, whatever its width.
  const bar = (
    <span className="metric-bar" aria-hidden="true">
      <span style={{ width: `${(value.median / largest) * 100}%` }} />
    </span>
  );
  return (
    <Link
      to="/trends"
      search={{ suite: row.suite, metric: row.name, combination: frame.combinationOf(column) }}
      className={isSmall ? 'dense-metric' : 'metric-box'}
      title={`${title}\nopens its trend on this combination`}
      {...(isSmall && { 'aria-label': title })}
      // The keyboard reaches the trend through the row's header: a link in each column would be hundreds of tab stops.
      tabIndex={-1}
    >
      {room === 'dense' ? (
        <span aria-hidden="true" className={`change ${toneOf(change)}`}>
          {change?.clear === true ? changeSign(change) : '·'}
        </span>
      ) : room === 'number' ? (
        <>
          <span aria-hidden="true" className={`number change ${toneOf(change)}`}>
            {numberText(value.median)}
          </span>
          {change?.clear === true && (
            <span aria-hidden="true" className={change.factor >= 1 ? 'corner-better' : 'corner-worse'} />
          )}
          {bar}
        </>
      ) : (
        <>
          <span className="number">{numberText(value.median)}</span>
          <ChangeMark change={change} room={room} />
          {bar}
        </>
      )}
    </Link>
  );
}
