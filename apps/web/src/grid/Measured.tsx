import { Link } from '@tanstack/react-router';
import { metricId, metricName, RATIOS_ONLY, unitText } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { numberText } from '../ui/numbers.js';
import { samplesText, type MetricFrame } from './metrics.js';
import { changeThanText, compareMetric, type GridMetricRow } from './model.js';

/** Metrics of a test in one column, each with a link to its trend. */
export function Measured({
  metrics,
  column,
  frame,
}: {
  /** Of the test. */
  metrics: readonly GridMetricRow[];
  column: number;
  frame: MetricFrame;
}): ReactNode {
  const measured = metrics.flatMap((metric) => {
    const value = metric.values[column];
    return value == null ? [] : [{ metric, value }];
  });
  if (measured.length === 0) return null;
  return (
    <>
      <h3>Measured</h3>
      {frame.isVirtual && <p className="muted">{RATIOS_ONLY}</p>}
      <ul className="links">
        {measured.map(({ metric, value }) => {
          const change = compareMetric(metric, column, frame.againstOf(column), frame.isClear);
          return (
            <li key={metricId(metric)}>
              <Link
                to="/trends"
                search={{ suite: metric.suite, metric: metric.name, combination: frame.combinationOf(column) }}
              >
                {metricName(metric)}
              </Link>{' '}
              <span className="number strong">{numberText(value.median)}</span> {unitText(metric.unit)}{' '}
              <span className="muted">
                [{numberText(value.lowerQuartile)} … {numberText(value.upperQuartile)}], {samplesText(value)}
                {change !== null && `, ${changeThanText(change, frame.nameOf(change.against))}`}
              </span>
            </li>
          );
        })}
      </ul>
    </>
  );
}
