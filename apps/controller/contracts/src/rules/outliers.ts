import type { WhyUnclear } from '../schema/compare.js';
import type { MetricNoise } from '../schema/metric.js';
import type { Boot } from './significance/boots.js';
import type { Effect } from './significance/effect.js';
import { judgeMetrics, type Judgement, type MetricSides } from './significance/judge.js';

/** A metric of one kernel on machines with the same hardware. */
export interface TwinMetric {
  better: 'lower' | 'higher';
  /** Of all machines. */
  boots: readonly Boot[];
  noise: MetricNoise;
}

/** What the boots say of a metric on machines with the same hardware. */
export interface TwinJudgement {
  /**
   * The machine that is unlike all others; of two machines that differ the second, as nobody can tell which of the two is
   * the odd one. Null where none stands out.
   */
  machine: string | null;
  /** Of that machine, or else of the one that is farthest from the others: it ÷ the others. */
  ratio: Effect | null;
  /** Of the machine that stands out; `unclear` where none does. */
  says: 'better' | 'worse' | 'unclear';
  /** Why no machine stands out; null where one does. */
  why: WhyUnclear | null;
  /** Adjusted for all machines and metrics of the page; null when nothing was tested. */
  p: number | null;
  /** Smallest relative change that counts: 0.02 = 2 %. */
  least: number;
  /** How many more boots each machine needs before one can stand out; 0 = none. */
  moreBoots: number;
}

/**
 * Which of several machines with the same hardware stands out in each metric of one kernel, by the rule of
 * significance/judge.ts: each machine's boots against those of all others, dealt out anew between them. All machines and
 * metrics share one limit on false findings. Where several are unlike the rest, the one that is farthest from it is named:
 * it pulls the rest away from the others. Pure, deterministic.
 */
export function judgeTwins(metrics: readonly TwinMetric[]): TwinJudgement[] {
  const compared = metrics.map(({ boots }) => comparedMachines(boots));
  const sides = metrics.flatMap((metric, index) => (compared[index] ?? []).map((machine) => sidesOf(metric, machine)));
  const judged = judgeMetrics(sides, { byMachine: false });
  let from = 0;
  return compared.map((machines) => {
    const own = judged.slice(from, (from += machines.length));
    return own.length === 0 ? ONE_MACHINE : summedUp(machines, own);
  });
}

const ONE_MACHINE: TwinJudgement = {
  machine: null,
  ratio: null,
  says: 'unclear',
  why: 'one-sided',
  p: null,
  least: 0,
  moreBoots: 0,
};

/** Machines that are compared with the others: none of one, the second of two, all of more. */
function comparedMachines(boots: readonly Boot[]): string[] {
  const machines = [...new Set(boots.map(({ machine }) => machine))].toSorted();
  return machines.length <= 2 ? machines.slice(1) : machines;
}

function sidesOf({ better, boots, noise }: TwinMetric, machine: string): MetricSides {
  // Named by the comparison: the boots are dealt out for each machine by itself.
  const named = boots.map((boot) => ({ ...boot, attempt: `${machine}\n${boot.attempt}` }));
  return {
    better,
    a: named.filter((boot) => boot.machine !== machine),
    b: named.filter((boot) => boot.machine === machine),
    noise,
    isSameKernel: false,
  };
}

function summedUp(machines: readonly string[], judged: readonly Judgement[]): TwinJudgement {
  const far = ({ ratio }: Judgement): number => (ratio === null ? -1 : Math.abs(Math.log(ratio.value)));
  const all = judged.map((judgement, index) => ({ judgement, machine: machines[index] ?? '' }));
  const standing = all.filter(({ judgement }) => judgement.says !== 'unclear');
  const [farthest] = (standing.length > 0 ? standing : all).toSorted((x, y) => far(y.judgement) - far(x.judgement));
  if (farthest === undefined) return ONE_MACHINE;
  const { ratio, says, why, p, least } = farthest.judgement;
  const moreBoots = Math.max(...judged.map((each) => each.moreBoots));
  // A machine with too few boots may be the odd one: nothing is said of the others as long as it may be.
  if (standing.length === 0 && moreBoots > 0) {
    return { machine: null, ratio, says: 'unclear', why: 'few-boots', p: null, least, moreBoots };
  }
  return { machine: why === null ? farthest.machine : null, ratio, says, why, p, least, moreBoots };
}
