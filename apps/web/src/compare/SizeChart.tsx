import { useRef, type ReactNode } from 'react';
import { useWidth } from '../ui/element-width.js';
import { numberText } from '../ui/numbers.js';
import {
  round,
  SIZE_CHART,
  SIZE_LOOKS,
  sizeMark,
  sizePath,
  sizeScale,
  type SizeLine,
  type SizeScale,
} from './size-chart.js';

/** Medians over message sizes with their spread, a line for each of up to SIZE_LOOKS; the figures stand in a table below it. */
export function SizeChart({
  title,
  lines,
}: {
  title: string;
  /** All with the same sizes, ascending. */
  lines: readonly SizeLine[];
}): ReactNode {
  const drawn = lines.slice(0, SIZE_LOOKS.length);
  const place = useRef<HTMLElement>(null);
  const scale = sizeScale(drawn, Math.min(SIZE_CHART.width, useWidth(place, SIZE_CHART.width)));
  if (scale === null) return null;
  const { width, height, left, right, bottom } = { ...SIZE_CHART, width: scale.width };
  const names = drawn.map(({ name }, look) => `${name} ${SIZE_LOOKS[look]?.split(',')[0] ?? ''}`).join('; ');
  return (
    <figure ref={place} className="size-chart">
      <svg
        viewBox={`0 0 ${width} ${height}`}
        width={width}
        height={height}
        className="chart"
        role="img"
        aria-label={`${title} over message size, both axes logarithmic: ${names}; the figures are in the table`}
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
        {drawn.map((line, look) => (
          <Line key={line.name} line={line} look={look} scale={scale} />
        ))}
      </svg>
      <figcaption className="muted">
        <ul className="size-keys">
          {drawn.map(({ name }, look) => (
            <li key={name}>
              <svg className={`size-key size-look-${look}`} width="26" height="12" aria-hidden="true">
                <path d="M0,6H26" className="size-line" />
                <path d={sizeMark(look, 13, 6)} className="size-dot" />
              </svg>{' '}
              {name}
            </li>
          ))}
        </ul>
        {lines.length > drawn.length &&
          `The chart has the first ${drawn.length} of ${lines.length}; the table has all. `}
        Both axes are logarithmic; bars go from the lowest to the highest boot.
      </figcaption>
    </figure>
  );
}

function Line({ line, look, scale }: { line: SizeLine; look: number; scale: SizeScale }): ReactNode {
  return (
    <g className={`size-look-${look}`}>
      <path d={sizePath(line, scale)} className="size-line" />
      {line.points.map(({ bytes, spread }) => {
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
            <path d={sizeMark(look, x, round(scale.y(spread.median)))} className="size-dot" />
          </g>
        );
      })}
    </g>
  );
}
