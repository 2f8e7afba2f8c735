import type { OverviewLine } from '@peerlab/contracts';
import { percentText } from './chart.js';

/** Size of a small chart in CSS pixels. */
export const SPARK = { width: 220, height: 48, pad: 4 } as const;

/** Reaches of the axis on each side of the middle, as factors: the smallest that shows all values is used. */
const REACHES: readonly (readonly [number, string])[] = [
  [1.1, '±10 %'],
  [1.5, '±50 %'],
  [4, '¼× … 4×'],
  [100, '¹⁄₁₀₀× … 100×'],
];

export interface Spark {
  /** Position of each value, in pixels from the top left. */
  points: { x: number; y: number }[];
  path: string;
  /** What the axis spans: the same for all lines that move as little. */
  axis: string;
}

/**
 * A line as a small chart around the middle of its values on a logarithmic axis of a few fixed lengths, so that equal slopes
 * are equal changes; null where a value is not above zero. What lies beyond the longest axis stands at its end.
 */
export function sparkOf(medians: readonly number[]): Spark | null {
  if (medians.length === 0 || medians.some((median) => !(median > 0))) return null;
  const logs = medians.map(Math.log);
  const middle = (Math.min(...logs) + Math.max(...logs)) / 2;
  const needed = Math.max(...logs) - middle;
  const [factor, axis] = REACHES.find(([each]) => needed <= Math.log(each)) ?? REACHES.at(-1) ?? [1.1, ''];
  const { width, height, pad } = SPARK;
  const points = logs.map((log, index) => {
    const place = Math.max(-1, Math.min(1, (log - middle) / Math.log(factor)));
    return {
      x: Math.round(pad + ((index + 0.5) / logs.length) * (width - 2 * pad)),
      y: Math.round((height / 2 - place * (height / 2 - pad)) * 10) / 10,
    };
  });
  return { points, path: `M${points.map(({ x, y }) => `${x},${y}`).join('L')}`, axis };
}

/** Index of the point nearest to a place, in pixels from the left. */
export function nearestPoint(count: number, x: number, left: number, room: number): number {
  return Math.max(0, Math.min(count - 1, Math.floor(((x - left) / room) * count)));
}

/** What a line says of its last change: with a verdict `−12 % better`; without one `+3.0 %`, in muted colour. */
export function movedText({ change, ratio, better }: Pick<OverviewLine, 'change' | 'ratio' | 'better'>): {
  text: string;
  tone: 'good' | 'bad' | null;
} {
  if (change !== null) {
    const isBetter = (change.direction === 'down') === (better === 'lower');
    return {
      text: `${isBetter ? '▲' : '▼'} ${percentText(change.before, change.after)} ${isBetter ? 'better' : 'worse'}`,
      tone: isBetter ? 'good' : 'bad',
    };
  }
  return { text: ratio === null ? 'one boot' : `newest boot ${percentText(1, ratio)}, no verdict`, tone: null };
}
