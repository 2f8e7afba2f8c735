import type { Grid, GridColumn } from '../../schema/grid.js';
import type { MetricNoise } from '../../schema/metric.js';
import { metricName, metricPath, ofRole, type NamedMetric } from '../metric-name.js';
import type { PlaceName } from '../place.js';
import { medianOf, type Boot } from '../significance/boots.js';
import { judgeMetrics, type Judgement, type MetricSides } from '../significance/judge.js';
import { NO_NOISE, noisier } from '../significance/noise.js';

/** Where a result was obtained: one column of the grid. Of several roles each text is of all of them (rules/place.ts). */
export interface Place extends PlaceName {
  topology: string;
  pathKind: string;
  iommu: string;
  config: string;
}

export interface MetricValue {
  /** Of the medians of the boots. */
  median: number;
  /** With one boot its quartiles, else the lowest and the highest boot. */
  low: number;
  high: number;
  /** Boots of the build on the machine; samples of all of them. */
  boots: number;
  n: number;
  /** Median over that of the same access to RAM, on the same machine and build; null where there is none. */
  toRam: number | null;
  /** The same against the migration fallback. */
  toFallback: number | null;
  /** Against the kernel without the feature on the same machine: an alias with its fallback, the rest with itself. */
  toBase: number | null;
  /** What the boots say of `toBase`, judged together with all metrics of the report; null without it. */
  says: Pick<Judgement, 'says' | 'why'> | null;
}

export interface MachineMetrics extends Omit<Place, 'build' | 'name' | 'config'> {
  builds: string[];
  rows: {
    suite: string;
    name: string;
    /** Which role of a job with several measured it. */
    role?: string;
    unit: string;
    better: 'lower' | 'higher';
    values: (MetricValue | null)[];
  }[];
}

/**
 * Names are WHAT.KIND.SIZE (`fault_map.alias.pte`): the same what and size of kind `ram` or `fallback`
 * is what an access is compared with. Null for a name of another make, or a kind compared with itself.
 */
export function counterpart(name: string, kind: 'ram' | 'fallback'): string | null {
  const parts = name.split('.');
  if (parts.length < 2 || parts[1] === kind || parts[1] === 'ram') return null;
  return [parts[0], kind, ...parts.slice(2)].join('.');
}

type GridMetric = Grid['metrics'][number];
type Values = GridMetric['values'];

/** A value whose verdict is not known yet, and the boots that it is judged by. */
interface Unjudged {
  value: Omit<MetricValue, 'says'>;
  sides: MetricSides | null;
}

/** What each machine measured, by build: the boots of a run with `repeat` count as one value. */
export function machineMetrics(grid: Grid, places: readonly Place[]): MachineMetrics[] {
  const names = [...new Set(places.map(({ machine }) => machine))];
  const found = names.flatMap((machine) => {
    const of = ofMachine(grid, places, machine);
    return of === null ? [] : [of];
  });
  const judged = new Map<Unjudged, ReturnType<typeof judgeMetrics>[number]>();
  const all = found.flatMap(({ rows }) => rows.flatMap(({ values }) => values)).filter((each) => each?.sides != null);
  const judgements = judgeMetrics(
    all.flatMap((each) => each?.sides ?? []),
    { byMachine: true },
  );
  all.forEach((each, index) => {
    const judgement = judgements[index];
    if (each !== null && judgement !== undefined) judged.set(each, judgement);
  });
  return found.map(({ rows, ...machine }) => ({
    ...machine,
    rows: rows.map(({ values, ...row }) => ({
      ...row,
      values: values.map((each): MetricValue | null => {
        if (each === null) return null;
        const judgement = judged.get(each);
        return { ...each.value, says: judgement === undefined ? null : { says: judgement.says, why: judgement.why } };
      }),
    })),
  }));
}

type UnjudgedMachine = Omit<MachineMetrics, 'rows'> & {
  rows: (Omit<MachineMetrics['rows'][number], 'values'> & { values: (Unjudged | null)[] })[];
};

function ofMachine(grid: Grid, places: readonly Place[], machine: string): UnjudgedMachine | null {
  const columns = places.flatMap((place, column) => (place.machine === machine ? [column] : []));
  const measured = columns.filter((column) => grid.metrics.some(({ values }) => values[column] != null));
  const first = places[columns[0] ?? -1];
  if (first === undefined || measured.length === 0) return null;
  const builds = [...new Set(measured.map((column) => places[column]?.build ?? '?'))];
  const columnsOf = (build: string): number[] => measured.filter((column) => places[column]?.build === build);
  const kernelsAt = (at: number): Pick<GridColumn['build'], 'features' | 'buildId'>[] => {
    const column = grid.columns[at];
    return column === undefined ? [] : (column.roles?.map(({ build }) => build) ?? [column.build]);
  };
  const base = builds.find((build) =>
    columnsOf(build).some((column) => kernelsAt(column).every(({ features }) => features?.length === 0)),
  );
  const buildIdsOf = (build: string | undefined): (string | null)[] =>
    kernelsAt(columnsOf(build ?? '')[0] ?? -1).map(({ buildId }) => buildId);
  const isBaseKernel = (build: string): boolean => {
    const [own, other] = [buildIdsOf(build), buildIdsOf(base)];
    return own.length > 0 && own.every((buildId, role) => buildId !== null && buildId === other[role]);
  };
  const bootsOf = (values: Values | undefined, build: string | undefined): Boot[] =>
    columnsOf(build ?? '').flatMap((column) => {
      const [value, at] = [values?.[column], grid.columns[column]];
      if (value == null || at?.attemptId == null) return [];
      return [{ attempt: at.attemptId, run: at.runId, machine, value: value.median }];
    });
  const noiseIn = (metric: GridMetric | undefined, build: string): MetricNoise =>
    metric?.noise[grid.columns[columnsOf(build)[0] ?? -1]?.combination.hash ?? ''] ?? NO_NOISE;
  const rows = grid.metrics.flatMap(({ suite, name, role, unit, better, values }) => {
    /** Of the same role: another one measured on another machine. */
    const alike = (other: string | null): GridMetric | undefined =>
      grid.metrics.find((metric) => metric.suite === suite && metric.name === other && metric.role === role);
    const fallback = alike(counterpart(name, 'fallback'));
    const ofRam = alike(counterpart(name, 'ram'))?.values;
    const ofFallback = fallback?.values;
    const itself = alike(name);
    const reference = name.includes('.alias') ? fallback : itself;
    const before = bootsOf(name.includes('.alias') ? ofFallback : values, base);
    const own = builds.map((build): Unjudged | null => {
      const boots = bootsOf(values, build);
      if (boots.length === 0) return null;
      const isBase = build === base;
      return {
        value: {
          ...spreadOf(columnsOf(build).flatMap((column) => values[column] ?? [])),
          toRam: ratio(boots, bootsOf(ofRam, build)),
          toFallback: ratio(boots, bootsOf(ofFallback, build)),
          toBase: isBase ? null : ratio(boots, before),
        },
        sides:
          isBase || before.length === 0
            ? null
            : {
                better,
                a: before,
                b: boots,
                // An alias is compared with the fallback: the noisier of the two.
                noise: noisier(noiseIn(itself, build), noiseIn(reference, build)),
                isSameKernel: isBaseKernel(build),
              },
      };
    });
    return own.some((value) => value !== null) ? [{ suite, name, ...ofRole({ role }), unit, better, values: own }] : [];
  });
  const { topology, pathKind, iommu } = first;
  return { machine, topology, pathKind, iommu, builds, rows };
}

function ratio(boots: readonly Boot[], reference: readonly Boot[]): number | null {
  if (boots.length === 0 || reference.length === 0) return null;
  const [own, other] = [boots, reference].map((all) => medianOf(all.map(({ value }) => value)));
  return own === undefined || other === undefined || other === 0 ? null : own / other;
}

/** Of at least one boot. */
function spreadOf(
  values: readonly NonNullable<Values[number]>[],
): Pick<MetricValue, 'median' | 'low' | 'high' | 'boots' | 'n'> {
  const medians = values.map(({ median }) => median);
  const [only, ...more] = values;
  const isOne = only !== undefined && more.length === 0;
  return {
    median: medianOf(medians),
    low: isOne ? only.lowerQuartile : Math.min(...medians),
    high: isOne ? only.upperQuartile : Math.max(...medians),
    boots: values.length,
    n: values.reduce((sum, { n }) => sum + n, 0),
  };
}

/** How metrics are called beside each other: one that several suites have, with its suite. */
export function metricNames(metrics: readonly (NamedMetric & { suite: string })[]): string[] {
  const suites = new Map<string, Set<string>>();
  for (const metric of metrics) {
    const name = metricName(metric);
    suites.set(name, (suites.get(name) ?? new Set()).add(metric.suite));
  }
  return metrics.map((metric) => {
    const name = metricName(metric);
    return (suites.get(name)?.size ?? 0) > 1 ? metricPath(metric) : name;
  });
}
