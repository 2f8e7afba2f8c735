import { Link } from '@tanstack/react-router';
import {
  bootsText,
  renderSizes,
  saysText,
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
import { round, sideLine, SIZE_CHART, sizeScale, type SizeScale } from './size-chart.js';

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
  const labelOf = (index: number): string => combinations[index]?.combination.label ?? '';
  const { shown, rest } = useFirst(
    all.filter(({ suite, series, combination }) => matches(`${suite}/${series} ${labelOf(combination)}`)),
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
        <Series
          key={`${series.suite}/${series.series}/${series.unit}@${series.combination}`}
          series={series}
          comparison={comparison}
        />
      ))}
      {rest}
    </section>
  );
}

function Series({ series, comparison }: { series: SizeSeries; comparison: Comparison }): ReactNode {
  const { suite, series: name, unit, better, combination, points } = series;
  const title = `${suite}/${name}`;
  return (
    <section className="size-series" aria-label={title}>
      <h3>
        {title}{' '}
        <span className="muted metric-unit">
          {unitText(unit)}, {better} is better
        </span>
      </h3>
      {comparison.combinations.length > 1 && (
        <CombinationName combination={comparison.combinations[combination]?.combination} />
      )}
      {points.length > 1 && <SizeChart series={series} title={title} comparison={comparison} />}
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

const SIDES = ['a', 'b'] as const;

/** Medians of both sides over message sizes with their spread; the figures stand in the table below it. */
function SizeChart({
  series,
  title,
  comparison,
}: {
  series: SizeSeries;
  title: string;
  comparison: Comparison;
}): ReactNode {
  const scale = sizeScale(series);
  if (scale === null) return null;
  const { width, height, left, right, bottom } = { ...SIZE_CHART, width: scale.width };
  return (
    <figure className="size-chart">
      <svg
        viewBox={`0 0 ${width} ${height}`}
        width={width}
        height={height}
        className="chart"
        role="img"
        aria-label={`${title} over message size, both axes logarithmic: A dashed, B solid; the figures are in the table`}
      >
        {scale.values.map((value) => (
          <g key={value}>
            <line x1={left} x2={width - right} y1={scale.y(value)} y2={scale.y(value)} className="chart-rule" />
            <text x={left - 6} y={scale.y(value) + 3.5} textAnchor="end" className="chart-text">
              {numberText(value)}
            </text>
          </g>
        ))}
        {scale.sizes.map(({ bytes, text }) => (
          <text key={bytes} x={scale.x(bytes)} y={height - bottom + 18} textAnchor="middle" className="chart-text">
            {text}
          </text>
        ))}
        {SIDES.map((side) => (
          <Side key={side} series={series} side={side} scale={scale} />
        ))}
      </svg>
      <figcaption className="muted">
        <span className="size-key size-a" aria-hidden="true" /> A {comparison.a.kernel.name} (dashed) ·{' '}
        <span className="size-key size-b" aria-hidden="true" /> B {comparison.b.kernel.name} · both axes logarithmic,
        bars from the lowest to the highest boot
      </figcaption>
    </figure>
  );
}

function Side({ series, side, scale }: { series: SizeSeries; side: 'a' | 'b'; scale: SizeScale }): ReactNode {
  return (
    <g className={`size-side size-${side}`}>
      <path d={sideLine(series, side, scale)} className="size-line" />
      {series.points.map(({ bytes, metric }) => {
        const spread = metric[side];
        if (spread === null || spread.lowest <= 0) return null;
        const x = round(scale.x(bytes));
        return (
          <g key={bytes}>
            <line
              x1={x}
              x2={x}
              y1={round(scale.y(spread.lowest))}
              y2={round(scale.y(spread.highest))}
              className="size-bar"
            />
            <circle cx={x} cy={round(scale.y(spread.median))} r="3" className="size-dot" />
          </g>
        );
      })}
    </g>
  );
}
