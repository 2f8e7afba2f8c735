import {
  ownSuiteOf,
  selectionsOfSuite,
  suitesFor,
  whyNotSelected,
  type Combination,
  type Labels,
  type MachineSelection,
  type PeerPath,
  type RunRole,
  type RunSpec,
} from '@peerlab/contracts';
import type { MachineWish } from './candidates.js';
import { isOwnConfig } from './own-configs.js';

/** What planning needs of a machine. */
export interface PlannableMachine {
  name: string;
  labels: Labels;
  /** Its agent still has it; otherwise its jobs would wait for ever. */
  configured: boolean;
  /** Whether its agent runs suites that no bundle has. */
  runsOwnSuites?: boolean | undefined;
  paths: readonly (PeerPath & { combination: Combination })[];
  /** Names of RDMA devices by the address of their function, where the run asks for one. */
  rdmaDevices?: ReadonlyMap<string, readonly string[]> | undefined;
}

/** Keys of the bundles whose modules take the devices that they are told to; others test the first pair of a machine. */
interface BundlesOfAnyPair {
  anyPair: ReadonlySet<string>;
}

/** Tests that belong on one machine: those of every build on one pair of devices. */
export interface Lane {
  wish: MachineWish;
  /** Names of the machines that meet the wish now; the first one is where path and pair were read. */
  machines: string[];
  path: PeerPath;
  combination: Combination;
  /** By index of the build; a build that is not there has nothing to do here. */
  suites: ReadonlyMap<number, string[]>;
}

/** A pair of devices of a machine, and what the run wants to test there. */
interface Testable {
  machine: PlannableMachine;
  path: PeerPath;
  combination: Combination;
  /** Which of the machine's pairs of the combination it is, from 0. */
  ordinal: number;
  suites: Map<number, string[]>;
}

/**
 * Whether each selected machine is tested by itself: the run asks for that, for every pair, or names machines anywhere, or the
 * machine boots a kernel of its own configuration, which may not boot another one. Other runs are about hardware: what is
 * tested of a combination is tested once, on any machine that has it.
 */
const isEachMachine = (spec: RunSpec, role: RunRole | null): boolean =>
  spec.machines.each === true ||
  spec.pairs === 'all' ||
  role?.rdmaDevice !== undefined ||
  spec.builds.some((build) => isOwnConfig(build) && role?.builds?.includes(build.name) !== false) ||
  selectionsOf(spec, role).some(({ names = [] }) => names.length > 0);

function selectionsOf(spec: RunSpec, role: RunRole | null): MachineSelection[] {
  const ofBuilds = spec.builds.flatMap(({ machines }) => machines ?? []);
  return [spec.machines, role?.machines ?? {}, ...ofBuilds, ...Object.values(spec.suiteMachines ?? {})];
}

/**
 * What a run tests and where, in the order of the machines. Stops beyond `max` lanes. Pure.
 * @param role what is asked of the machines of this role; null for jobs with one machine
 */
export function lanesOf(
  spec: RunSpec,
  machines: readonly PlannableMachine[],
  stock: BundlesOfAnyPair,
  max: number,
  role: RunRole | null = null,
): Lane[] {
  if (!isEachMachine(spec, role)) {
    const groups = new Map<string, Testable[]>();
    for (const machine of machines) {
      for (const testable of testablesOf(spec, machine, stock, role)) {
        const known = groups.get(testable.combination.hash);
        if (known === undefined) groups.set(testable.combination.hash, [testable]);
        else known.push(testable);
      }
    }
    return [...groups.values()].flatMap((group) => cover(spec, group, role));
  }
  const lanes: Lane[] = [];
  for (const machine of machines) {
    if (lanes.length > max) break;
    for (const testable of testablesOf(spec, machine, stock, role))
      lanes.push(laneOf(spec, { able: [testable], suites: testable.suites, onlyMachine: machine.name, labels: {} }));
  }
  return lanes;
}

/** The pairs of a machine that are tested: the first one of each combination, or all. */
function testablesOf(
  spec: RunSpec,
  machine: PlannableMachine,
  { anyPair }: BundlesOfAnyPair,
  role: RunRole | null,
): Testable[] {
  const counts = new Map<string, number>();
  return machine.paths.flatMap(({ combination, ...path }, position): Testable[] => {
    const ordinal = counts.get(combination.hash) ?? 0;
    counts.set(combination.hash, ordinal + 1);
    const device = role?.rdmaDevice;
    if (ordinal > 0 && spec.pairs !== 'all' && device === undefined) return [];
    if (device !== undefined && machine.rdmaDevices?.get(path.client.address)?.includes(device) !== true) return [];
    const alone = { ...machine, paths: [{ ...path, combination }] };
    if (whyNotSelected(spec.machines, alone) !== null) return [];
    if (whyNotSelected(role?.machines ?? {}, alone) !== null) return [];
    const suites = new Map<number, string[]>();
    for (const [index, build] of spec.builds.entries()) {
      // The modules of such a bundle take what they find first.
      if (position > 0 && build.bundle !== undefined && !anyPair.has(build.bundle)) continue;
      if (role?.builds?.includes(build.name) === false) continue;
      const own = suitesFor(spec, build, alone, role?.suites);
      if (own.length > 0) suites.set(index, own);
    }
    return suites.size === 0 ? [] : [{ machine, path, combination, ordinal, suites }];
  });
}

/**
 * The fewest lanes, as far as simple means find them, in which every suite of every build that one of these machines runs is
 * run once: first what the machine with most of them runs, then the rest. All are of one combination.
 */
function cover(spec: RunSpec, group: readonly Testable[], role: RunRole | null): Lane[] {
  // Twins want the same.
  const kinds = new Map<string, Testable[]>();
  for (const testable of group) {
    const key = JSON.stringify([...testable.suites]);
    const known = kinds.get(key);
    if (known === undefined) kinds.set(key, [testable]);
    else known.push(testable);
  }
  const patterns = [...kinds.values()].map((members) => ({
    members,
    suites: members[0]?.suites ?? new Map<number, string[]>(),
  }));
  const done = new Set<string>();
  const lanes: Lane[] = [];
  for (;;) {
    const rest = patterns.map(({ suites }) => without(suites, done));
    const sizes = rest.map((suites) => [...suites.values()].reduce((sum, own) => sum + own.length, 0));
    const most = Math.max(0, ...sizes);
    const chosen = rest[sizes.indexOf(most)];
    if (most === 0 || chosen === undefined) return lanes;
    const able = patterns.filter(({ suites }) => includesAll(suites, chosen)).flatMap(({ members }) => members);
    lanes.push(laneOf(spec, { able, suites: chosen, onlyMachine: null, labels: labelsOf(spec, chosen, role) }));
    for (const [build, own] of chosen) for (const suite of own) done.add(`${build} ${suite}`);
  }
}

function without(suites: ReadonlyMap<number, string[]>, done: ReadonlySet<string>): Map<number, string[]> {
  const rest = [...suites].map(
    ([build, own]) => [build, own.filter((suite) => !done.has(`${build} ${suite}`))] as const,
  );
  return new Map(rest.filter(([, own]) => own.length > 0).map(([build, own]) => [build, [...own]]));
}

const includesAll = (all: ReadonlyMap<number, string[]>, some: ReadonlyMap<number, string[]>): boolean =>
  [...some].every(([build, own]) => own.every((suite) => all.get(build)?.includes(suite)));

/** All labels that the run asks of a machine for these suites on these builds. */
function labelsOf(spec: RunSpec, suites: ReadonlyMap<number, string[]>, role: RunRole | null): Labels {
  const builds = [...suites.keys()].map((index) => spec.builds[index]?.machines);
  const ofSuites = [...new Set([...suites.values()].flat())].flatMap((suite) => selectionsOfSuite(spec, suite));
  return Object.assign(
    {},
    ...[spec.machines, role?.machines, ...builds, ...ofSuites].map((selection) => selection?.labels ?? {}),
  ) as Labels;
}

function laneOf(
  spec: RunSpec,
  {
    able,
    suites,
    ...wish
  }: { able: readonly Testable[]; suites: Lane['suites'] } & Pick<MachineWish, 'onlyMachine' | 'labels'>,
): Lane {
  const [first] = able;
  if (first === undefined) throw new Error('a lane without a machine');
  const { path, combination, ordinal } = first;
  const ownSuites = [...suites.values()].flat().some((suite) => ownSuiteOf(spec, suite) !== undefined);
  return {
    wish: { ...wish, combination: combination.hash, pair: ordinal, ownSuites },
    machines: able.map(({ machine }) => machine.name).toSorted((a, b) => (a < b ? -1 : 1)),
    path,
    combination,
    suites,
  };
}
