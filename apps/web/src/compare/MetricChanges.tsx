import { Link } from '@tanstack/react-router';
import {
  CONFIDENCE,
  unitText,
  type Combination,
  type ComparedMetric,
  type Comparison,
  type SampleSpread,
} from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { countText, numberText } from '../ui/numbers.js';
import { useFirst } from '../ui/first.js';
import { ListTable } from '../ui/ListTable.js';
import { CombinationName } from './CombinationName.js';
import { ratioPlaces, ratioReach, ratioText } from './ratio.js';

/** Rows shown before the rest is asked for. */
const FIRST_ROWS = 200;

/** Metrics of both sides with the ratio B ÷ A, its confidence interval, and the conclusion. */
export function MetricChanges({
  comparison,
  metrics,
}: {
  comparison: Comparison;
  metrics: readonly ComparedMetric[];
}): ReactNode {
  const { shown, rest } = useFirst(metrics, FIRST_ROWS, 'metrics');
  if (comparison.metrics.length === 0) return null;
  /** Length on each side of 1 of the axis that all rows share, as a logarithm. */
  const reach = ratioReach(metrics);
  const hardware = (index: number): Combination | undefined => comparison.combinations[index]?.combination;
  const percent = Math.round(CONFIDENCE * 100);
  return (
    <section aria-labelledby="metrics-head">
      <h2 id="metrics-head">Metrics</h2>
      <p className="totals muted">
        B ÷ A is the median of all quotients of a sample of B and one of A, with its {percent} % interval by ranks
        (Hodges–Lehmann). An interval that contains 1 shows no difference; by chance, about one metric in twenty shows a
        false difference. Samples of one boot are not independent: compare more runs before you trust a small change.
      </p>
      {comparison.metricsTotal > comparison.metrics.length && (
        <p className="notice notice-warn">
          {countText(comparison.metrics.length)} of {countText(comparison.metricsTotal)} metrics are here, those that
          moved first. Choose a combination above to see all of that one.
        </p>
      )}
      <ListTable
        rows={shown}
        keyOf={({ suite, name, unit, combination }) => `${suite}/${name}/${unit}@${combination}`}
        empty={<p className="muted">No metric matches the filter.</p>}
        columns={[
          {
            name: 'Metric',
            render: ({ suite, name, unit, better, combination }) => (
              <span>
                <span className="muted">{suite}/</span>
                <Link
                  to="/trends"
                  search={{ suite, metric: name, combination: hardware(combination)?.hash }}
                  title="trend of this metric on this combination"
                >
                  {name}
                </Link>
                <span className="muted metric-unit">
                  {unitText(unit)}, {better} is better
                </span>
              </span>
            ),
          },
          {
            name: 'Combination',
            render: ({ combination }) => <CombinationName combination={hardware(combination)} />,
          },
          { name: 'A', head: spreadHead('A'), className: 'number right', render: ({ a }) => <SpreadCell spread={a} /> },
          { name: 'B', head: spreadHead('B'), className: 'number right', render: ({ b }) => <SpreadCell spread={b} /> },
          { name: 'B ÷ A', className: 'number right', render: ({ ratio }) => <RatioCell ratio={ratio} /> },
          {
            name: 'Interval',
            head: <span className="unseen">Interval</span>,
            className: 'ratio-cell',
            render: (metric) => <RatioPicture metric={metric} reach={reach} />,
          },
          {
            name: 'Says',
            render: (metric) => (
              <span className="row tight">
                <Says metric={metric} />
              </span>
            ),
          },
        ]}
      />
      {rest}
    </section>
  );
}

function spreadHead(side: 'A' | 'B'): ReactNode {
  return (
    <>
      {side} <span className="muted">median [quartiles]</span>
    </>
  );
}

function SpreadCell({ spread }: { spread: SampleSpread | null }): ReactNode {
  if (spread === null) return <span className="muted">not measured</span>;
  const { median, lowerQuartile, upperQuartile, n, attempts, attemptId } = spread;
  return (
    <span>
      <Link to="/attempts/$attempt" params={{ attempt: attemptId }} className="strong">
        {numberText(median)}
      </Link>{' '}
      <span className="muted">
        [{numberText(lowerQuartile)} … {numberText(upperQuartile)}]
      </span>
      <span className="muted metric-unit">
        n = {countText(n)}, {attempts === 1 ? '1 boot' : `${attempts} boots`}
      </span>
    </span>
  );
}

function RatioCell({ ratio }: Pick<ComparedMetric, 'ratio'>): ReactNode {
  if (ratio === null) return <span className="muted">–</span>;
  const { value, low, high } = ratio;
  return (
    <span>
      <span className="strong">{ratioText(value)}</span>
      <span className="muted metric-unit">
        {low === null || high === null ? 'no interval' : `${ratioText(low)} … ${ratioText(high)}`}
      </span>
    </span>
  );
}

/** The interval on a logarithmic axis that all rows share, with a line at 1. The numbers stand beside it. */
function RatioPicture({ metric, reach }: { metric: ComparedMetric; reach: number }): ReactNode {
  const places = ratioPlaces(metric.ratio, reach);
  if (places === null) return null;
  const { low, value, high } = places;
  return (
    <svg viewBox="0 0 160 20" width="160" height="20" className={`ratio ratio-${metric.says}`} aria-hidden="true">
      <line x1="80" x2="80" y1="1" y2="19" className="ratio-one" />
      <line x1={4 + low * 152} x2={4 + high * 152} y1="10" y2="10" className="ratio-line" />
      <circle cx={4 + value * 152} cy="10" r="4" className="ratio-dot" />
    </svg>
  );
}

const SAYS = {
  better: { icon: '▲', tone: 'good' },
  worse: { icon: '▼', tone: 'bad' },
  unclear: { icon: '≈', tone: 'quiet' },
} as const;

function Says({ metric: { says, moreRunsNeeded } }: { metric: ComparedMetric }): ReactNode {
  const { icon, tone } = SAYS[says];
  return (
    <>
      <span className={`badge tone-${tone}`}>
        <span aria-hidden="true">{icon}</span> {says === 'unclear' ? 'no clear change' : says}
      </span>
      {moreRunsNeeded && <span className="chip chip-warn">more runs needed</span>}
    </>
  );
}
