import type { TrendPoint } from '@peerlab/contracts';

/** Sizes of a chart in CSS pixels; `width` is used until the width of its place is known. */
export const CHART = { width: 460, height: 190, left: 54, right: 14, top: 22, bottom: 24 } as const;

type Spread = Pick<TrendPoint, 'median' | 'lowerQuartile' | 'upperQuartile'>;

export interface Scale {
  /** Values with a grid line and a label, ascending. */
  ticks: number[];
  /** Width of the whole chart. */
  width: number;
  /** Positions of a value and of the index of a point, in pixels from the top left. */
  y: (value: number) => number;
  x: (index: number) => number;
}

/** Approximate number of ticks. */
const TICKS = 4;

/** Where the axis begins and ends: at the values, at zero, or so that it spans at least this factor around them. */
export type Axis = 'own' | 'zero' | { factor: number };

/** Beyond this factor between the ends of an axis the other lines of a page would be flat: each has its own then. */
const COMPARABLE_MAX = 4;

/** Lowest and highest value with the quartiles. Needs at least one point. */
function endsOf(points: readonly Spread[]): [number, number] {
  return [
    Math.min(...points.map((point) => Math.min(point.lowerQuartile, point.median))),
    Math.max(...points.map((point) => Math.max(point.upperQuartile, point.median))),
  ];
}

/**
 * An axis on which the lines of a page compare: each spans the factor of the line that moved most, so that equal slopes are
 * equal changes. `own` where that is too much, or a value is not above zero.
 */
export function comparableAxis(lines: readonly (readonly Spread[])[]): Axis {
  let factor = 1;
  for (const points of lines) {
    if (points.length === 0) continue;
    const [lowest, highest] = endsOf(points);
    if (lowest <= 0) return 'own';
    factor = Math.max(factor, highest / lowest);
  }
  return factor > COMPARABLE_MAX ? 'own' : { factor };
}

function spanOf(points: readonly Spread[], axis: Axis): [number, number] {
  const [lowest, highest] = endsOf(points);
  if (axis === 'own') return [lowest, highest];
  if (axis === 'zero') return [Math.min(0, lowest), Math.max(0, highest)];
  const more = lowest > 0 ? Math.sqrt(axis.factor / (highest / lowest)) : 1;
  return more > 1 ? [lowest / more, highest * more] : [lowest, highest];
}

/** Includes every quartile. Needs at least one point. */
export function chartScale(points: readonly Spread[], axis: Axis, width: number = CHART.width): Scale {
  const [from, to] = spanOf(points, axis);
  const ticks = niceTicks(from, to);
  const [bottom, top] = [Math.min(from, ticks[0] ?? from), Math.max(to, ticks.at(-1) ?? to)];
  const { height, left, right, top: above, bottom: below } = CHART;
  const room = width - left - right;
  return {
    ticks,
    width,
    y: (value) => above + ((top - value) / (top - bottom)) * (height - above - below),
    // A single point is in the middle.
    x: (index) => left + ((index + 0.5) / points.length) * room,
  };
}

/** Round values, evenly spaced by 1, 2 or 5 times a power of ten, that enclose both ends. Never empty. */
export function niceTicks(from: number, to: number): number[] {
  const size = Math.max(Math.abs(from), Math.abs(to));
  const isFlat = to - from <= size * 1e-9;
  // A flat line gets some room around it.
  const pad = size < 1e-100 ? 1 : isFlat ? size * 0.05 : 0;
  const [low, high] = [from - pad, to + pad];
  const rough = (high - low) / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  const first = Math.floor(low / step);
  const last = Math.ceil(high / step);
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

/** Labels of ticks with as many decimals as needed to tell them apart: `14 800`, `0.25`. */
export function tickTexts(ticks: readonly number[]): string[] {
  const step = (ticks[1] ?? 1) - (ticks[0] ?? 0);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-6));
  if (digits > 8) return ticks.map((tick) => String(tick));
  return ticks.map((tick) =>
    tick
      .toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
      .replaceAll(',', '\u202f'),
  );
}

/** Neighbouring points of one kernel: first and last index, and the kernel. */
export interface KernelStripe {
  from: number;
  to: number;
  buildId: string | null;
  release: string | null;
}

export function kernelStripes(points: readonly Pick<TrendPoint, 'kernel'>[]): KernelStripe[] {
  const stripes: KernelStripe[] = [];
  points.forEach(({ kernel: { buildId, release } }, index) => {
    const last = stripes.at(-1);
    if (last?.buildId === buildId) last.to = index;
    else stripes.push({ from: index, to: index, buildId, release });
  });
  return stripes;
}

/** The band from the lower to the upper quartiles as an SVG path; empty for fewer than two points. */
export function bandPath(points: readonly Spread[], { x, y }: Scale): string {
  if (points.length < 2) return '';
  const upper = points.map((point, index) => `${round(x(index))},${round(y(point.upperQuartile))}`);
  const lower = points.map((point, index) => `${round(x(index))},${round(y(point.lowerQuartile))}`);
  return `M${upper.join('L')}L${lower.toReversed().join('L')}Z`;
}

/** The line of the medians as an SVG path. */
export function medianPath(points: readonly Spread[], { x, y }: Scale): string {
  return `M${points.map((point, index) => `${round(x(index))},${round(y(point.median))}`).join('L')}`;
}

const round = (value: number): number => Math.round(value * 10) / 10;

/** Change between two medians in percent, signed: `+12 %`, `−8.4 %`; empty when there is no base. */
export function percentText(before: number, after: number): string {
  if (before === 0) return '';
  const percent = (after / before - 1) * 100;
  const size = Math.abs(percent);
  const shown = size >= 10 ? Math.round(size).toString() : size.toFixed(1);
  return `${percent < 0 ? '−' : '+'}${shown} %`;
}
