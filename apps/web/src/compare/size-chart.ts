import { sizeText, type BootSpread } from '@peerlab/contracts';

/** One line of a chart over message sizes, by size: the median of its boots, from the lowest to the highest of them. */
export interface SizeLine {
  name: string;
  points: readonly { bytes: number; spread: Pick<BootSpread, 'median' | 'lowest' | 'highest'> | null }[];
}

/** How lines are told apart without colour; a chart has no more of them. */
export const SIZE_LOOKS = ['dashed, dots', 'solid, squares', 'dotted, triangles', 'dash-dotted, diamonds'] as const;

/** Sizes of a chart in CSS pixels; it is narrower than `width` where its place is. */
export const SIZE_CHART = { width: 460, height: 210, left: 60, right: 14, top: 12, bottom: 28 } as const;

export interface SizeScale {
  width: number;
  /** Positions of a message size and of a value, in pixels from the top left. */
  x: (bytes: number) => number;
  y: (value: number) => number;
  /** Sizes and values with a label. */
  sizes: { bytes: number; text: string }[];
  values: number[];
}

/** Width of the label of a size, in pixels. */
const SIZE_WIDTH = 52;

/**
 * Both axes are logarithmic: sizes and bandwidths span decades. Values that are not above zero have no place on it. All lines
 * have the same sizes, ascending.
 */
export function sizeScale(lines: readonly SizeLine[], width: number = SIZE_CHART.width): SizeScale | null {
  const { height, left, right, top, bottom } = SIZE_CHART;
  const points = lines[0]?.points ?? [];
  const values = lines
    .flatMap((line) => line.points.flatMap(({ spread }) => endsOf(spread)))
    .filter((value) => value > 0);
  const [first, last] = [points[0], points.at(-1)];
  if (values.length === 0 || first === undefined || last === undefined) return null;
  const [low, high] = widened(Math.min(...values), Math.max(...values));
  const [from, to] = widened(first.bytes, last.bytes);
  const room = width - left - right;
  const x = (bytes: number): number => left + (Math.log(bytes / from) / Math.log(to / from)) * room;
  const y = (value: number): number => top + (Math.log(high / value) / Math.log(high / low)) * (height - top - bottom);
  const every = Math.max(1, Math.ceil((points.length * SIZE_WIDTH) / room));
  return {
    width,
    x,
    y,
    sizes: points.filter((_, at) => at % every === 0).map(({ bytes }) => ({ bytes, text: sizeText(bytes) })),
    values: logTicks(low, high),
  };
}

const endsOf = (spread: SizeLine['points'][number]['spread']): number[] =>
  spread === null ? [] : [spread.lowest, spread.median, spread.highest];

/** Some room around one value, so that it has a place. */
const widened = (low: number, high: number): [number, number] => (low < high ? [low, high] : [low / 2, high * 2]);

/** At most so many lines of the grid. */
const TICKS_MAX = 6;

/** Values on a logarithmic axis: powers of ten, and 2 and 5 times those where there are few. */
export function logTicks(low: number, high: number): number[] {
  const within = (factors: readonly number[]): number[] => {
    const ticks: number[] = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
      for (const factor of factors) {
        const tick = Number(`${factor}e${power}`);
        if (tick >= low && tick <= high) ticks.push(tick);
      }
    }
    return ticks;
  };
  const fine = within([1, 2, 5]);
  if (fine.length <= TICKS_MAX) return fine.length >= 2 ? fine : [low, high];
  const coarse = within([1]);
  const every = Math.ceil(coarse.length / TICKS_MAX);
  return coarse.filter((_, at) => at % every === 0);
}

/** A line through its medians, as an SVG path; sizes that it lacks interrupt it. */
export function sizePath({ points }: SizeLine, { x, y }: SizeScale): string {
  let path = '';
  let isDrawing = false;
  for (const { bytes, spread } of points) {
    const median = spread?.median ?? 0;
    if (median > 0) path += `${isDrawing ? 'L' : 'M'}${round(x(bytes))},${round(y(median))}`;
    isDrawing = median > 0;
  }
  return path;
}

/** The mark of a median for each of SIZE_LOOKS, as an SVG path around (x, y). */
export function sizeMark(look: number, x: number, y: number): string {
  switch (look % SIZE_LOOKS.length) {
    case 0:
      return `M${x - 3},${y}a3,3 0 1,0 6,0a3,3 0 1,0 -6,0z`;
    case 1:
      return `M${x - 3},${y - 3}h6v6h-6z`;
    case 2:
      return `M${x},${y - 4}l4,7h-8z`;
    default:
      return `M${x},${y - 4.5}l4,4.5l-4,4.5l-4,-4.5z`;
  }
}

export const round = (value: number): number => Math.round(value * 10) / 10;
