import { Link } from '@tanstack/react-router';
import { buildOfSide, unitText, type ChangePoint, type TrendLine, type TrendPoint } from '@peerlab/contracts';
import { useRef, useState, type ReactNode } from 'react';
import { shortBuildId } from '../runs/evidence.js';
import { useWidth } from '../ui/element-width.js';
import { numberText } from '../ui/numbers.js';
import { OneTabStop } from '../ui/OneTabStop.js';
import { exactText } from '../ui/time.js';
import {
  bandPath,
  CHART,
  chartScale,
  kernelStripes,
  medianPath,
  percentText,
  tickTexts,
  type Axis,
  type Scale,
} from './chart.js';
import { nearestPoint } from './spark.js';

/** Width of a short build-id below its stripe, in pixels. */
const LABEL_WIDTH = 52;

/** Medians with the band of their quartiles; every point opens its attempt. */
export function TrendChart({
  line,
  changes,
  axis,
}: {
  line: TrendLine;
  changes: readonly ChangePoint[];
  axis: Axis;
}): ReactNode {
  const { points, unit, combination } = line;
  const place = useRef<SVGSVGElement>(null);
  const scale = chartScale(points, axis, useWidth(place, CHART.width));
  const [pointed, setPointed] = useState<number | null>(null);
  const named = pointed === null ? undefined : points[pointed];
  const { width } = scale;
  const { height, left, right } = CHART;
  const labels = tickTexts(scale.ticks);
  return (
    <>
      <OneTabStop
        className="trend-chart"
        label={`Medians of ${buildOfSide(line)} on ${combination.label}, oldest first`}
      >
        <svg
          ref={place}
          viewBox={`0 0 ${width} ${height}`}
          height={height}
          className="chart"
          onPointerMove={(event) => {
            const x = event.clientX - event.currentTarget.getBoundingClientRect().left;
            setPointed(nearestPoint(points.length, x, left, width - left - right));
          }}
          onPointerLeave={() => setPointed(null)}
        >
          <Stripes points={points} scale={scale} />
          <g aria-hidden="true">
            {scale.ticks.map((tick, index) => (
              <g key={tick}>
                <line x1={left} x2={width - right} y1={scale.y(tick)} y2={scale.y(tick)} className="chart-rule" />
                <text x={left - 6} y={scale.y(tick) + 3.5} textAnchor="end" className="chart-text">
                  {labels[index]}
                </text>
              </g>
            ))}
          </g>
          <path d={bandPath(points, scale)} className="chart-band" />
          <path d={medianPath(points, scale)} className="chart-line" />
          {changes.map((change) => (
            <ChangeLine key={change.index} change={change} line={line} scale={scale} />
          ))}
          {points.map((point, index) => (
            <Point
              key={`${point.attemptId}-${point.at}`}
              point={point}
              index={index}
              scale={scale}
              unit={unitText(unit)}
              isPointed={index === pointed}
              onFocus={() => setPointed(index)}
            />
          ))}
        </svg>
      </OneTabStop>
      <p className="muted chart-readout">
        {named === undefined ? 'Point at a boot to read its value.' : pointTexts(named, unitText(unit)).join(' · ')}
      </p>
    </>
  );
}

/** Every second kernel is shaded; each has its build-id where there is room. */
function Stripes({ points, scale }: { points: readonly TrendPoint[]; scale: Scale }): ReactNode {
  const { height, top, bottom } = CHART;
  const half = (scale.x(1) - scale.x(0)) / 2;
  return (
    <g aria-hidden="true">
      {kernelStripes(points).map(({ from, to, buildId, release }, index) => {
        const [start, end] = [scale.x(from) - half, scale.x(to) + half];
        return (
          <g key={from}>
            {index % 2 === 1 && (
              <rect x={start} y={top} width={end - start} height={height - top - bottom} className="chart-stripe" />
            )}
            {end - start >= LABEL_WIDTH && (
              <text x={(start + end) / 2} y={height - 8} textAnchor="middle" className="chart-text chart-kernel">
                {buildId === null ? 'no build' : shortBuildId(buildId).slice(0, 7)}
                <title>{`${release ?? ''} ${buildId ?? ''}`}</title>
              </text>
            )}
          </g>
        );
      })}
    </g>
  );
}

function ChangeLine({ change, line, scale }: { change: ChangePoint; line: TrendLine; scale: Scale }): ReactNode {
  const { index, direction } = change;
  const at = (scale.x(index - 1) + scale.x(index)) / 2;
  const isBetter = (direction === 'down') === (line.better === 'lower');
  const text = `${percentText(change.before, change.after)} ${isBetter ? 'better' : 'worse'}`.trim();
  // Near the right edge the text would leave the chart.
  const isLate = at > scale.width - 110;
  return (
    <g className={isBetter ? 'chart-change chart-better' : 'chart-change chart-worse'}>
      <line x1={at} x2={at} y1={CHART.top - 12} y2={CHART.height - CHART.bottom} />
      <text x={isLate ? at - 5 : at + 5} y={CHART.top - 5} textAnchor={isLate ? 'end' : 'start'}>
        {isBetter ? '▲' : '▼'} {text}
      </text>
    </g>
  );
}

function Point({
  point,
  index,
  scale,
  unit,
  isPointed,
  onFocus,
}: {
  point: TrendPoint;
  index: number;
  scale: Scale;
  unit: string;
  isPointed: boolean;
  onFocus: () => void;
}): ReactNode {
  const { median, lowerQuartile, upperQuartile, attemptId } = point;
  const [x, y] = [scale.x(index), scale.y(median)];
  const text = pointTexts(point, unit);
  return (
    <Link
      to="/attempts/$attempt"
      params={{ attempt: attemptId }}
      aria-label={text.join(', ')}
      className="chart-point"
      onFocus={onFocus}
    >
      <line x1={x} x2={x} y1={scale.y(lowerQuartile)} y2={scale.y(upperQuartile)} className="chart-spread" />
      <circle cx={x} cy={y} r="11" className="chart-target" />
      <circle cx={x} cy={y} r={isPointed ? 5.5 : 3.6} className="chart-dot" />
    </Link>
  );
}

/** What is known of a point: its value, its kernel, when and where. */
function pointTexts(
  { median, lowerQuartile, upperQuartile, n, kernel, at, machine }: TrendPoint,
  unit: string,
): string[] {
  return [
    `${numberText(median)} ${unit} (quartiles ${numberText(lowerQuartile)} … ${numberText(upperQuartile)}, n = ${n})`,
    `${kernel.release ?? kernel.name} ${kernel.buildId === null ? '' : shortBuildId(kernel.buildId)}`.trim(),
    `${exactText(Date.parse(at))}${machine === null ? '' : ` on ${machine}`}`,
  ];
}
