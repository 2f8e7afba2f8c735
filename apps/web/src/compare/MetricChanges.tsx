import { Link } from '@tanstack/react-router';
import {
  bootsText,
  LEVEL,
  metricId,
  metricName,
  RELEVANCE,
  saysText,
  whyText,
  type BootSpread,
  unitText,
  type Combination,
  type ComparedMetric,
} from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { countText, numberText } from '../ui/numbers.js';
import { useFirst } from '../ui/first.js';
import { ListTable } from '../ui/ListTable.js';
import { RatiosOnly } from '../ui/RatiosOnly.js';
import { CombinationName } from './CombinationName.js';
import { ratioPlaces, ratioReach, ratioText } from './ratio.js';

/** Rows shown before the rest is asked for. */
const FIRST_ROWS = 200;

/** Metrics of both sides with the ratio B ÷ A, its interval, and what the boots say; those with a verdict first. */
export function MetricChanges({
  all,
  total,
  metrics,
  hardware,
  shown: sides,
  more,
}: {
  /** Of the answer. */
  all: readonly ComparedMetric[];
  /** How many there are; more than `all` where the answer was cut. */
  total: number;
  /** Those of `all` that the filter leaves. */
  metrics: readonly ComparedMetric[];
  /** Of a row; undefined where all rows are of one pair. */
  hardware: (index: number) => { combination: Combination; machine?: string | undefined } | undefined;
  /** Combinations of the sides where rows are of one pair. */
  shown?: readonly Combination[];
  /** How to get more boots; shown where they are missing. */
  more?: ReactNode;
}): ReactNode {
  const { shown, rest } = useFirst(metrics.toSorted(byWeight), FIRST_ROWS, 'metrics');
  if (all.length === 0) return null;
  /** Length on each side of 1 of the axis that all rows share, as a logarithm. */
  const reach = ratioReach(metrics);
  const isByCombination = all.some(({ combination }) => hardware(combination) !== undefined);
  return (
    <section aria-labelledby="metrics-head">
      <h2 id="metrics-head">Metrics</h2>
      <p className="totals">
        <Totals metrics={all} />
      </p>
      {all.some(({ why }) => why === 'few-boots') && (
        <p className="notice notice-warn">
          {Math.max(...all.map(({ moreBoots }) => moreBoots))} more boots of each side are needed before all of these
          metrics can have a verdict: samples of one boot are no independent evidence. {more}
        </p>
      )}
      <RatiosOnly combinations={sides ?? all.map(({ combination }) => hardware(combination)?.combination)} />
      <p className="totals muted">
        B ÷ A is the ratio of the medians of the boots, with its 95 % interval. Better and worse are said of changes of
        at least {RELEVANCE * 100} % that neither dealing the boots out again nor the noise between boots of one kernel
        explains. All metrics here share one limit: where nothing changed, fewer than {LEVEL * 100} % of them are
        badged.
      </p>
      {total > all.length && (
        <p className="notice notice-warn">
          {countText(all.length)} of {countText(total)} metrics are here, those that moved first. Choose a combination
          above to see all of that one.
        </p>
      )}
      <ListTable
        rows={shown}
        keyOf={(metric) => `${metricId(metric)}@${metric.combination}`}
        empty={<p className="muted">No metric matches the filter.</p>}
        columns={[
          {
            name: 'Metric',
            render: ({ suite, name, role, unit, better, combination }) => (
              <span>
                <span className="muted">{suite}/</span>
                <Link
                  to="/trends"
                  search={{ suite, metric: name, combination: hardware(combination)?.combination.hash }}
                  title="trend of this metric on this combination"
                >
                  {metricName({ name, role })}
                </Link>
                <span className="muted metric-unit">
                  {unitText(unit)}, {better} is better
                </span>
              </span>
            ),
          },
          ...(isByCombination
            ? [
                {
                  name: 'Combination',
                  render: ({ combination }: ComparedMetric) => (
                    <CombinationName combination={undefined} {...hardware(combination)} />
                  ),
                },
              ]
            : []),
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
            render: (metric) => <Says metric={metric} />,
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
      {side} <span className="muted">median [boots]</span>
    </>
  );
}

export function SpreadCell({ spread }: { spread: BootSpread | null }): ReactNode {
  if (spread === null) return <span className="muted">not measured</span>;
  const { median, lowest, highest, n, boots, attemptId } = spread;
  return (
    <span>
      <Link to="/attempts/$attempt" params={{ attempt: attemptId }} className="strong">
        {numberText(median)}
      </Link>{' '}
      {boots > 1 && (
        <span className="muted">
          [{numberText(lowest)} … {numberText(highest)}]
        </span>
      )}
      <span className="muted metric-unit">
        {bootsText(boots)}, n = {countText(n)}
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

function Says({ metric }: { metric: ComparedMetric }): ReactNode {
  const { icon, tone } = SAYS[metric.says];
  const why = whyText(metric);
  return (
    <span>
      <span className={`badge tone-${tone}`}>
        <span aria-hidden="true">{icon}</span> {saysText(metric)}
      </span>
      <span className="muted metric-unit">
        {why === '' ? `p = ${pText(metric.p)}, adjusted for all metrics here` : why}
      </span>
    </span>
  );
}

const pText = (p: number | null): string => (p === null ? '?' : p.toFixed(3));

/** How many metrics say what, those with a verdict first. */
function Totals({ metrics }: { metrics: readonly ComparedMetric[] }): ReactNode {
  const counts = new Map<string, number>();
  for (const metric of metrics.toSorted(byWeight)) {
    const text = saysText(metric);
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return [...counts].map(([text, count], index) => (
    <span key={text}>
      {index > 0 && ', '}
      <strong className="number">{countText(count)}</strong> {text}
    </span>
  ));
}

/** Worse, better, then the rest in the order of the answer. */
function byWeight(x: ComparedMetric, y: ComparedMetric): number {
  const weight = { worse: 0, better: 1, unclear: 2 } as const;
  return weight[x.says] - weight[y.says];
}
