import {
  SUITES,
  suitesFor,
  whyNotSelected,
  type Combination,
  type Labels,
  type MachineSelection,
  type PeerPath,
  type ProblemItem,
  type RunSpec,
} from '@peerlab/contracts';
import { nearestName } from './nearest-name.js';

/** What planning needs of a machine. */
export interface PlannableMachine {
  name: string;
  labels: Labels;
  /** Its agent still has it; otherwise its jobs would wait for ever. */
  configured: boolean;
  paths: readonly (PeerPath & { combination: Combination })[];
}

/** What is stored already and may be named by a run. */
export interface PlanningStock {
  /** Suite names by key of the bundles that the run names. */
  bundles: ReadonlyMap<string, readonly string[]>;
  /** Digests of the artifacts that the run names. */
  artifacts: ReadonlySet<string>;
}

export interface PlannedJob {
  buildIndex: number;
  build: string;
  machine: string;
  path: PeerPath;
  combination: Combination;
  suites: string[];
}

export interface Plan {
  jobs: PlannedJob[];
  unmatched: { machine: string; why: string }[];
  /** Not empty: the run cannot be done as asked. */
  problems: ProblemItem[];
}

/**
 * builds × selected machines, on the peer path that the suites use: that of the first provider and the
 * first client. Pure; offline machines count, their jobs wait.
 */
export function planRun(spec: RunSpec, fleet: readonly PlannableMachine[], stock: PlanningStock): Plan {
  const machines = fleet.map((machine) => ({ ...machine, paths: machine.paths.slice(0, 1) }));
  const problems = [
    ...checkBuilds(spec, stock),
    ...checkNames('machines', spec.machines, machines),
    ...Object.entries(spec.suiteMachines ?? {}).flatMap(([suite, selection]) =>
      checkNames(`suiteMachines.${suite}`, selection, machines),
    ),
    ...spec.builds.flatMap((build, index) => checkNames(`builds.${index}.machines`, build.machines ?? {}, machines)),
  ];
  const unmatched: Plan['unmatched'] = [];
  const jobs: PlannedJob[] = [];
  for (const machine of machines) {
    const why = whyNot(spec.machines, machine);
    if (why !== null) {
      unmatched.push({ machine: machine.name, why });
      continue;
    }
    let busy = false;
    for (const { combination, ...path } of machine.paths) {
      for (const [buildIndex, build] of spec.builds.entries()) {
        const suites = suitesFor(spec, build, machine);
        if (suites.length === 0) continue;
        jobs.push({ buildIndex, build: build.name, machine: machine.name, path, combination, suites });
        busy = true;
      }
    }
    if (!busy) unmatched.push({ machine: machine.name, why: 'has no suite left by suiteMachines and builds' });
  }
  if (jobs.length === 0) problems.push(...nothingMatches(spec.machines, machines, unmatched));
  // Builds in the order written: the first one is ready first, and its jobs come first.
  jobs.sort((a, b) => a.buildIndex - b.buildIndex);
  return { jobs: problems.length === 0 ? jobs : [], unmatched, problems };
}

function whyNot(selection: MachineSelection, machine: PlannableMachine): string | null {
  const why = whyNotSelected(selection, machine);
  if (why !== null) return why;
  if (!machine.configured) return 'is no longer in the configuration of its agent';
  return machine.paths.length > 0 ? null : 'has no provider and client pair (or its inventory is not known yet)';
}

function checkBuilds(spec: RunSpec, stock: PlanningStock): ProblemItem[] {
  const problems: ProblemItem[] = [];
  const offered = new Set<string>();
  spec.builds.forEach((build, index) => {
    if (build.bundle !== undefined) {
      const suites = stock.bundles.get(build.bundle);
      if (suites === undefined) {
        problems.push({
          path: `builds.${index}.bundle`,
          message: `no bundle with the key ${build.bundle} is stored`,
          remedy: 'upload and register it first, or give a series',
        });
      }
      for (const suite of suites ?? []) offered.add(suite);
      return;
    }
    for (const suite of SUITES) offered.add(suite);
    for (const [at, source] of (build.series ?? []).entries()) {
      if (typeof source !== 'object' || !('artifact' in source) || stock.artifacts.has(source.artifact)) continue;
      problems.push({
        path: `builds.${index}.series.${at}.artifact`,
        message: `no artifact ${source.artifact} is stored`,
        remedy: 'upload it first, or give the text as mbox',
      });
    }
  });
  if (problems.length > 0) return problems;
  spec.suites.forEach((suite, index) => {
    if (offered.has(suite)) return;
    const near = nearestName(suite, [...offered]);
    problems.push({
      path: `suites.${index}`,
      message: `there is no suite "${suite}"`,
      remedy: near === null ? `suites are ${[...offered].join(', ')}` : `did you mean "${near}"?`,
    });
  });
  return problems;
}

/** A misspelled machine must not be left out in silence just because another name matches. */
function checkNames(field: string, selection: MachineSelection, machines: readonly PlannableMachine[]): ProblemItem[] {
  const known = machines.map(({ name }) => name);
  return (selection.names ?? []).flatMap((name, index): ProblemItem[] => {
    if (known.includes(name)) return [];
    const near = nearestName(name, known);
    const remedy = near === null ? `machines are ${known.join(', ') || 'not known yet'}` : `did you mean "${near}"?`;
    return [{ path: `${field}.names.${index}`, message: `there is no machine "${name}"`, remedy }];
  });
}

function nothingMatches(
  selection: MachineSelection,
  machines: readonly PlannableMachine[],
  unmatched: Plan['unmatched'],
): ProblemItem[] {
  if (machines.length === 0) {
    return [
      {
        path: 'machines',
        message: 'no machine is known yet',
        remedy: 'start an agent that owns machines and wait for its inventory',
      },
    ];
  }
  const nearest = nearestSelection(selection, machines);
  return unmatched.map(({ machine, why }) => ({
    path: 'machines',
    message: `${machine} ${why}`,
    ...(nearest === null ? {} : { remedy: nearest }),
  }));
}

function without(selection: MachineSelection, key: 'names' | 'paths'): MachineSelection {
  const rest = { ...selection };
  delete rest[key];
  return rest;
}

interface Condition {
  text: string;
  drop: (selection: MachineSelection) => MachineSelection;
}

/** The selection with the fewest conditions dropped that matches something, in words; null if none does. */
export function nearestSelection(selection: MachineSelection, machines: readonly PlannableMachine[]): string | null {
  const conditions = conditionsOf(selection);
  // At most a handful of conditions are written by hand; beyond that the answer helps nobody.
  const subsets = Array.from({ length: 2 ** Math.min(conditions.length, 8) }, (_, bits) =>
    conditions.filter((_condition, index) => (bits & (1 << index)) !== 0),
  ).sort((a, b) => a.length - b.length);
  for (const dropped of subsets) {
    const loosened = dropped.reduce((left, condition) => condition.drop(left), selection);
    const matching = machines.filter((machine) => whyNot(loosened, machine) === null).map(({ name }) => name);
    if (dropped.length > 0 && matching.length > 0) {
      return `without ${dropped.map(({ text }) => text).join(' and ')} it would match ${matching.join(', ')}`;
    }
  }
  return null;
}

function conditionsOf(selection: MachineSelection): Condition[] {
  const conditions: Condition[] = [];
  if (selection.names !== undefined && selection.names.length > 0) {
    conditions.push({ text: `names ${selection.names.join(', ')}`, drop: (left) => without(left, 'names') });
  }
  if (selection.paths !== undefined) {
    conditions.push({ text: `paths ${selection.paths.join(', ')}`, drop: (left) => without(left, 'paths') });
  }
  for (const [key, value] of Object.entries(selection.labels ?? {})) {
    conditions.push({
      text: `label ${key}=${value}`,
      drop: (left) => {
        const labels = Object.fromEntries(Object.entries(left.labels ?? {}).filter(([name]) => name !== key));
        return { ...left, labels };
      },
    });
  }
  return conditions;
}
