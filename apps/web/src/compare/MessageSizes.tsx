import { Link } from '@tanstack/react-router';
import {
  bootsText,
  placeLabel,
  renderSizes,
  saysText,
  seriesId,
  seriesName,
  sizesCsv,
  sizeSeries,
  sizeText,
  unitText,
  whyText,
  type BootSpread,
  type Comparison,
  type SizePoint,
  type SizeSeries,
} from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { CopyButton } from '../ui/copy.js';
import { RatiosOnly } from '../ui/RatiosOnly.js';
import { useFirst } from '../ui/first.js';
import { ListTable } from '../ui/ListTable.js';
import { countText, numberText } from '../ui/numbers.js';
import { CombinationName } from './CombinationName.js';
import { ratioText } from './ratio.js';
import { SizeChart } from './SizeChart.js';

/** Series shown before the rest is asked for. */
const FIRST_SERIES = 12;

/** The metrics that were measured with messages of several sizes: a chart and a table for each, before and after. */
export function MessageSizes({
  comparison,
  matches,
}: {
  comparison: Comparison;
  /** Whether the filter leaves a series, by its suite, name and combination. */
  matches: (text: string) => boolean;
}): ReactNode {
  const { combinations, metrics } = comparison;
  const all = sizeSeries(metrics);
  const labelOf = (index: number): string => placeLabel(comparison, index);
  const { shown, rest } = useFirst(
    all.filter((series) => matches(`${series.suite}/${seriesName(series)} ${labelOf(series.combination)}`)),
    FIRST_SERIES,
    'series',
  );
  if (all.length === 0) return null;
  return (
    <section aria-labelledby="sizes-head">
      <div className="row">
        <h2 id="sizes-head">By message size</h2>
        <span className="push row">
          <CopyButton text={() => renderSizes(comparison)} label="Copy as Markdown: the tables, for a cover letter">
            Copy as Markdown
          </CopyButton>
          <CopyButton text={() => sizesCsv(comparison)} label="Copy as CSV: every digit">
            Copy as CSV
          </CopyButton>
        </span>
      </div>
      <RatiosOnly combinations={shown.map(({ combination }) => combinations[combination]?.combination)} />
      {shown.map((series) => (
        <Series key={seriesId(series)} series={series} comparison={comparison} />
      ))}
      {rest}
    </section>
  );
}

function Series({ series, comparison }: { series: SizeSeries; comparison: Comparison }): ReactNode {
  const { suite, unit, better, combination, points } = series;
  const title = `${suite}/${seriesName(series)}`;
  // Two combinations have series of one name.
  const called = comparison.combinations.length > 1 ? `${title} on ${placeLabel(comparison, combination)}` : title;
  return (
    <section className="size-series" aria-label={called}>
      <h3>
        {title}{' '}
        <span className="muted metric-unit">
          {unitText(unit)}, {better} is better
        </span>
      </h3>
      {comparison.combinations.length > 1 && (
        <CombinationName combination={undefined} {...comparison.combinations[combination]} />
      )}
      {points.length > 1 && (
        <SizeChart
          title={called}
          lines={(['a', 'b'] as const).map((side) => ({
            name: `${side.toUpperCase()} ${comparison[side].kernel.name}`,
            points: points.map(({ bytes, metric }) => ({ bytes, spread: metric[side] })),
          }))}
        />
      )}
      <ListTable
        rows={points}
        keyOf={({ bytes }) => bytes}
        columns={[
          { name: 'Size', className: 'number right', render: ({ bytes }) => sizeText(bytes) },
          { name: 'A', className: 'number right', render: ({ metric }) => <Spread spread={metric.a} /> },
          { name: 'B', className: 'number right', render: ({ metric }) => <Spread spread={metric.b} /> },
          { name: 'B ÷ A', className: 'number right', render: (point) => <Ratio point={point} /> },
          {
            name: 'Says',
            render: ({ metric }) => `${saysText(metric)}${whyText(metric) === '' ? '' : `: ${whyText(metric)}`}`,
          },
        ]}
      />
    </section>
  );
}

function Spread({ spread }: { spread: BootSpread | null }): ReactNode {
  if (spread === null) return <span className="muted">not measured</span>;
  const { median, lowest, highest, boots, n, attemptId } = spread;
  return (
    <>
      <Link to="/attempts/$attempt" params={{ attempt: attemptId }}>
        {numberText(median)}
      </Link>{' '}
      <span className="muted">
        [{numberText(lowest)} … {numberText(highest)}] {bootsText(boots)}, n = {countText(n)}
      </span>
    </>
  );
}

function Ratio({ point: { metric } }: { point: SizePoint }): ReactNode {
  if (metric.ratio === null) return <span className="muted">–</span>;
  const { value, low, high } = metric.ratio;
  return (
    <>
      {ratioText(value)}{' '}
      {low !== null && high !== null && (
        <span className="muted">
          {ratioText(low)} … {ratioText(high)}
        </span>
      )}
    </>
  );
}
