import type { TrendPoint } from '../../schema/trend.js';
import { BOOTS_MIN, LEVEL, medianOf, RELEVANCE } from './boots.js';
import { drawToFront, seededRandom } from './random.js';
import { stepDown } from './step-down.js';

/** A place in a line where its level moved. */
export interface ChangePoint {
  /** Index of the first point on the new level. */
  index: number;
  direction: 'up' | 'down';
  /** Medians of the levels before and after it, each up to the next change. */
  before: number;
  after: number;
}

/** What a line needs of its points. */
export type LinePoint = Pick<TrendPoint, 'median' | 'runId'> & { kernel: Pick<TrendPoint['kernel'], 'buildId'> };

/** The boots of one run: neighbours in a line share the noise between runs and count as one. */
interface Step {
  /** Of its first point. */
  index: number;
  run: string;
  log: number;
  buildId: string | null;
}

/** A part of a line that may be cut. */
interface Part {
  line: number;
  from: number;
  to: number;
}

const SEED = 0x11e5;

/**
 * Where the lines of a page moved to another level, by line. A line is cut in two where its parts differ most, between two
 * kernels and with at least three runs on each side; the cut counts when few other orders of the same runs make any line of
 * the page differ as much anywhere (step-down.ts: all lines share the limit LEVEL, and runs change places as a whole), and
 * when the medians differ by RELEVANCE. The parts are then cut in the same way. So the newest two runs never make a change.
 */
export function changesOfLines(lines: readonly (readonly LinePoint[])[]): ChangePoint[][] {
  const steps = lines.map(stepsOf);
  const cuts = steps.map((): number[] => []);
  let parts = steps.map(({ length }, line): Part => ({ line, from: 0, to: length }));
  while (parts.length > 0) {
    parts = cutParts(steps, parts).flatMap(({ part, at }) => {
      cuts[part.line]?.push(at);
      return [
        { ...part, to: at },
        { ...part, from: at },
      ];
    });
  }
  return steps.map((line, index) => {
    const own = (cuts[index] ?? []).toSorted((x, y) => x - y);
    const ends = [0, ...own, line.length];
    return own.flatMap((at, place): ChangePoint[] => {
      const before = levelOf(line, ends[place] ?? 0, at);
      const after = levelOf(line, at, ends[place + 2] ?? line.length);
      if (Math.abs(after - before) < Math.log1p(RELEVANCE)) return [];
      const direction = after > before ? 'up' : 'down';
      return [{ index: line[at]?.index ?? 0, direction, before: Math.exp(before), after: Math.exp(after) }];
    });
  });
}

/** Runs of a line, oldest first; none where a value is not above zero. */
function stepsOf(points: readonly LinePoint[]): Step[] {
  if (points.some(({ median }) => !(median > 0))) return [];
  const runs: { index: number; runId: string; buildId: string | null; values: number[] }[] = [];
  points.forEach(({ median, runId, kernel: { buildId } }, index) => {
    const last = runs.at(-1);
    if (last?.runId === runId) last.values.push(median);
    else runs.push({ index, runId, buildId, values: [median] });
  });
  return runs.map(({ index, runId: run, buildId, values }) => ({
    index,
    run,
    buildId,
    log: Math.log(medianOf(values)),
  }));
}

const levelOf = (line: readonly Step[], from: number, to: number): number =>
  medianOf(line.slice(from, to).map(({ log }) => log));

interface Prepared {
  part: Part;
  /** Where it may be cut, from its beginning. */
  places: number[];
  centred: Float64Array;
  squares: number;
  /** Runs in an order of theirs; shared by all parts of the same runs. */
  order: Uint32Array;
}

/** The parts that are cut, and where, from the beginning of the line. */
function cutParts(steps: readonly (readonly Step[])[], parts: readonly Part[]): { part: Part; at: number }[] {
  const orders = new Map<string, Uint32Array>();
  const prepared = parts.flatMap((part): Prepared[] => {
    const line = steps[part.line]?.slice(part.from, part.to) ?? [];
    const places = line.flatMap(({ buildId }, at) =>
      at >= BOOTS_MIN && at + BOOTS_MIN <= line.length && buildId !== line[at - 1]?.buildId ? [at] : [],
    );
    if (places.length === 0) return [];
    const mean = line.reduce((sum, { log }) => sum + log, 0) / line.length;
    const centred = Float64Array.from(line, ({ log }) => log - mean);
    const key = line.map(({ run }) => run).join();
    const order = orders.get(key) ?? Uint32Array.from(line, (_, index) => index);
    orders.set(key, order);
    return [{ part, places, centred, squares: centred.reduce((sum, value) => sum + value * value, 0), order }];
  });
  const best = prepared.map(largest);
  const random = seededRandom(SEED);
  const adjusted = stepDown(
    Float64Array.from(best, ({ size }) => size),
    prepared.reduce((sum, { order }) => sum + order.length, 0),
    (drawn) => {
      for (const order of orders.values()) drawToFront(order, 0, order.length, order.length, random);
      prepared.forEach((each, index) => (drawn[index] = largest(each).size));
    },
  );
  return prepared.flatMap(({ part }, index) => {
    const at = part.from + (best[index]?.at ?? 0);
    return (adjusted[index] ?? 1) <= LEVEL ? [{ part, at }] : [];
  });
}

/** The place where the parts differ most, in standard errors. */
function largest({ centred, order, places, squares }: Prepared): { at: number; size: number } {
  const { length } = order;
  let best = { at: places[0] ?? 0, size: -1 };
  let sum = 0;
  let place = 0;
  for (let at = 1; at < length; at += 1) {
    sum += centred[order[at - 1] ?? 0] ?? 0;
    if (places[place] !== at) continue;
    place += 1;
    const weight = (at * (length - at)) / length;
    const rest = Math.max(0, squares - (sum * sum) / weight);
    const size = Math.abs(sum) / Math.sqrt(weight) / (Math.sqrt(rest / (length - 2)) + 1e-4);
    if (size > best.size) best = { at, size };
  }
  return best;
}
