import { judgeMetrics, metricName, NO_NOISE, type Boot, type Grid, type MetricSides } from '@peerlab/contracts';

/** What two names of one kernel came to. */
export interface FalseAlarms {
  /** By machine: boots of both sides, metrics, and metrics with a verdict; each of those is false. */
  machines: { machine: string; boots: number; metrics: number; badged: string[] }[];
  /** The boots dealt out to the sides anew, as often as `deals` says: metrics judged, badged, and pages with any badge. */
  dealt: { pages: number; metrics: number; badged: number; pagesWithAny: number };
}

interface Measured {
  metric: Grid['metrics'][number];
  machine: string;
  hash: string;
  a: Boot[];
  b: Boot[];
}

/**
 * Judges the boots of a run whose builds `a` and `b` are one kernel by the rule of the whole farm, with its rule on equal
 * build-ids left out: it would give none of them a verdict. Throws when they are not one kernel. Pure.
 * @param random from 0 (inclusive) to 1
 */
export function falseAlarmsOf(grid: Grid, deals: number, random: () => number): FalseAlarms {
  const [first, second] = [...new Set(grid.columns.map(({ build }) => build.name))];
  const ids = new Set(grid.columns.map(({ build }) => build.buildId));
  if (first === undefined || second === undefined || ids.size !== 1 || ids.has(null)) {
    throw new Error(`the run has to boot one kernel under two names; it has ${ids.size} build-ids`);
  }
  const machines = [...new Set(grid.columns.flatMap(({ machine }) => machine ?? []))];
  const measured = machines.flatMap((machine) =>
    grid.metrics.flatMap((metric): Measured[] => {
      const bootsOf = (name: string): Boot[] =>
        grid.columns.flatMap((column, index) => {
          const value = metric.values[index];
          if (column.machine !== machine || column.build.name !== name || value == null) return [];
          return [{ attempt: column.attemptId ?? '', run: column.runId, machine, value: value.median }];
        });
      const [a, b] = [bootsOf(first), bootsOf(second)];
      const hash = grid.columns.find((column) => column.machine === machine)?.combination.hash ?? '';
      return a.length === 0 || b.length === 0 ? [] : [{ metric, machine, hash, a, b }];
    }),
  );
  const badgedOf = (page: readonly Measured[]): Measured[] => {
    const judged = judgeMetrics(page.map(sidesOf), { byMachine: true });
    return page.filter((_, index) => judged[index]?.says !== 'unclear');
  };
  const badged = badgedOf(measured);
  const dealt = Array.from({ length: deals }, () => badgedOf(dealtAnew(measured, random)).length);
  return {
    machines: machines.map((machine) => {
      const own = measured.filter((each) => each.machine === machine);
      return {
        machine,
        boots: Math.max(0, ...own.map(({ a, b }) => a.length + b.length)),
        metrics: own.length,
        badged: badged.filter((each) => each.machine === machine).map(({ metric }) => metricName(metric)),
      };
    }),
    dealt: {
      pages: deals,
      metrics: deals * measured.length,
      badged: dealt.reduce((sum, count) => sum + count, 0),
      pagesWithAny: dealt.filter((count) => count > 0).length,
    },
  };
}

function sidesOf({ metric, hash, a, b }: Measured): MetricSides {
  return { better: metric.better, a, b, noise: metric.noise[hash] ?? NO_NOISE, isSameKernel: false };
}

/** Whole boots change sides, within their machine: all metrics of a boot move together. */
function dealtAnew(measured: readonly Measured[], random: () => number): Measured[] {
  const sideOf = new Map<string, boolean>();
  for (const machine of new Set(measured.map((each) => each.machine))) {
    const own = measured.filter((each) => each.machine === machine);
    const boots = [...new Set(own.flatMap(({ a, b }) => [...a, ...b].map(({ attempt }) => attempt)))];
    const isB = new Set(own.flatMap(({ b }) => b.map(({ attempt }) => attempt)));
    const order = boots.map((attempt) => ({ attempt, at: random() })).toSorted((x, y) => x.at - y.at);
    order.forEach(({ attempt }, place) => sideOf.set(attempt, place < isB.size));
  }
  return measured.map((each) => {
    const all = [...each.a, ...each.b];
    return {
      ...each,
      a: all.filter(({ attempt }) => sideOf.get(attempt) === false),
      b: all.filter(({ attempt }) => sideOf.get(attempt) === true),
    };
  });
}
