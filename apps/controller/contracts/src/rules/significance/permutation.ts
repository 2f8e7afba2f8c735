import { drawToFront, seededRandom } from './random.js';
import { stepDown } from './step-down.js';

/** A metric's boots: those that are dealt out together with the boots of all metrics that have the same ones. */
export interface TestedMetric {
  /** Logarithms of the boots' values, in the order of `Deal.sides`. */
  logs: readonly number[];
}

/** Boots that are dealt out to the sides again, and what was measured on all of them. */
export interface Deal {
  /** By boot: its machine, and whether it is of side B. In an order that does not depend on which side is A. */
  sides: readonly { machine: string; isB: boolean }[];
  metrics: readonly TestedMetric[];
}

const SEED = 0xb007;
/**
 * Added to the standard error, as a logarithm (0.05 %): of metrics with next to no noise the largest would outweigh all
 * others by a change that is of no interest to anyone.
 */
const LEAST_ERROR = 0.0005;
interface Prepared {
  /** Boots by place; those of one machine are neighbours. */
  machines: { from: number; to: number; drawn: number }[];
  /** Of Σ (label − mean label)² over all machines. */
  weight: number;
  freedom: number;
  /** By metric: the logs less the machine's mean, by boot. */
  centred: Float64Array[];
  squares: number[];
  /** Boots, those of each machine in its range; the first `drawn` are those of one side. */
  places: Uint32Array;
}

/**
 * Adjusted p-values of all metrics of a page, by deal and metric: the step-down maxT test of Westfall and Young. Boots are
 * dealt out to the sides again, within their machine, as whole boots: all metrics of a boot go together, so that what
 * they share (a slow boot) is in the reference too. The statistic is the difference of the means of logarithms over its
 * standard error. A p-value of at most LEVEL means: in at most that share of pages without any change would any of the
 * metrics of the page show as much. The limit on false discoveries (Benjamini and Hochberg's) holds with it, as it is the
 * weaker one; and unlike p-values of single metrics these can be small enough with five boots a side, whatever the number
 * of metrics. Exact where boots are exchangeable, which interleaved boots of one kernel are. Deterministic.
 */
export function adjustedPValues(deals: readonly Deal[]): number[][] {
  const prepared = deals.map(prepare);
  const observed = new Float64Array(deals.reduce((sum, { metrics }) => sum + metrics.length, 0));
  measure(prepared, observed);
  const work = deals.reduce((sum, { sides, metrics }) => sum + sides.length * metrics.length, 0);
  const random = seededRandom(SEED);
  const adjusted = stepDown(observed, work, (drawn) => {
    for (const { machines, places } of prepared) {
      for (const machine of machines) drawToFront(places, machine.from, machine.to, machine.drawn, random);
    }
    measure(prepared, drawn);
  });
  let from = 0;
  return deals.map(({ metrics }) => adjusted.slice(from, (from += metrics.length)));
}

function prepare({ sides, metrics }: Deal): Prepared {
  const places: number[] = [];
  const machines: Prepared['machines'] = [];
  let weight = 0;
  // Whichever side is called B, the same one is drawn.
  const drawnSide = sides[0]?.isB;
  for (const name of [...new Set(sides.map(({ machine }) => machine))].toSorted()) {
    const own = sides.flatMap(({ machine, isB }, place) => (machine === name ? [{ place, isB }] : []));
    const drawn = own.filter(({ isB }) => isB === drawnSide);
    const from = places.length;
    places.push(
      ...drawn.map(({ place }) => place),
      ...own.filter((each) => !drawn.includes(each)).map(({ place }) => place),
    );
    machines.push({ from, to: places.length, drawn: drawn.length });
    weight += (drawn.length * (own.length - drawn.length)) / own.length;
  }
  return { machines, weight, ...centre(metrics, machines, places), places: Uint32Array.from(places) };
}

function centre(
  metrics: readonly TestedMetric[],
  machines: Prepared['machines'],
  places: readonly number[],
): Pick<Prepared, 'centred' | 'squares' | 'freedom'> {
  const centred = metrics.map(({ logs }) => {
    const values = Float64Array.from(logs);
    for (const { from, to } of machines) {
      let sum = 0;
      for (let at = from; at < to; at += 1) sum += logs[places[at] ?? 0] ?? 0;
      for (let at = from; at < to; at += 1) {
        const place = places[at] ?? 0;
        values[place] = (logs[place] ?? 0) - sum / (to - from);
      }
    }
    return values;
  });
  const squares = centred.map((values) => values.reduce((sum, value) => sum + value * value, 0));
  return { centred, squares, freedom: places.length - machines.length - 1 };
}

/** Of each metric: the size of the difference of the sides over its standard error, as the boots are dealt out now. */
function measure(prepared: readonly Prepared[], into: Float64Array): void {
  let index = 0;
  for (const { machines, places, centred, squares, weight, freedom } of prepared) {
    for (let metric = 0; metric < centred.length; metric += 1, index += 1) {
      const values = centred[metric];
      let sum = 0;
      for (const { from, drawn } of machines) {
        for (let at = from; at < from + drawn; at += 1) sum += values?.[places[at] ?? 0] ?? 0;
      }
      const difference = sum / weight;
      const rest = Math.max(0, (squares[metric] ?? 0) - difference * difference * weight);
      into[index] = Math.abs(difference) / (Math.sqrt(rest / freedom / weight) + LEAST_ERROR);
    }
  }
}
