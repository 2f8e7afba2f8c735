import { createHash } from 'node:crypto';
import {
  canonicalJson,
  combinationLabel,
  combinationOfRoles,
  fewOf,
  limitProblems,
  SOLE_ROLE,
  whyNotSelected,
  type Combination,
  type MachineSelection,
  type PeerPath,
  type ProblemItem,
  type RunSpec,
} from '@peerlab/contracts';
import { tooLargeBuilds } from './build-work.js';
import { checkSeries } from './checked-series.js';
import type { MachineWish } from './candidates.js';
import { lanesOf, type PlannableMachine } from './lanes.js';
import { nearestName } from './nearest-name.js';
import { checkOffered, completeRun, type Offer } from './offered.js';
import { checkOwnSuites } from './own-suites.js';
import { planKernels, type PlannedKernel, type PlannedKernels } from './planned-kernels.js';
import { roleSetsOf, type PlannedRole as RoleOfSet, type RoleSet } from './role-sets.js';

export type { PlannableMachine };

/** What is stored already and may be named by a run. */
export interface PlanningStock extends Offer {
  /** Keys of the bundles whose modules take the devices that they are told to; others test the first pair of a machine. */
  anyPair: ReadonlySet<string>;
  /** Digests of the artifacts that the run names. */
  artifacts: ReadonlySet<string>;
}

/** What one machine of a job does. */
export interface PlannedRole {
  role: string;
  /** Index of its kernel in the plan. */
  kernel: number;
  build: string;
  /** Names of the machines that may take it, as the fleet is now. */
  machines: readonly string[];
  wish: MachineWish;
  /** Of the first of the machines. */
  path: PeerPath;
  combination: Combination;
  suites: string[];
}

/** A test; its own fields are those of the first role, but the combination is that of all. */
export interface PlannedJob extends Omit<PlannedRole, 'role'> {
  /** At least one, in the order of the run. */
  roles: readonly PlannedRole[];
  /** Jobs of one lane run on one machine, in turns, where a run has several boots. From 1. */
  lane: number;
  /** Which of the run's `repeat` boots it is, from 1. */
  boot: number;
}

export interface Plan {
  /** The run as it is stored: with suites where it named none. */
  spec: RunSpec;
  /** Empty where there are problems. */
  kernels: PlannedKernel[];
  jobs: PlannedJob[];
  unmatched: { machine: string; why: string }[];
  /** Not empty: the run cannot be done as asked. */
  problems: ProblemItem[];
}

/**
 * builds × combinations of hardware that the selected machines have, each on any machine that has it; or, where the run asks
 * for it, builds × machines × pairs of provider and client. Pure; offline machines count, their jobs wait.
 */
export function planRun(given: RunSpec, machines: readonly PlannableMachine[], stock: PlanningStock): Plan {
  const spec = completeRun(given, stock);
  const checkNames = nameChecker(machines.map(({ name }) => name));
  const problems = [
    ...checkBuilds(spec, stock),
    ...checkNames('machines', spec.machines),
    ...(spec.roles ?? []).flatMap((role, index) => checkNames(`roles.${index}.machines`, role.machines ?? {})),
    ...Object.entries(spec.suiteMachines ?? {}).flatMap(([suite, selection]) =>
      checkNames(`suiteMachines.${suite}`, selection),
    ),
    ...spec.builds.flatMap((build, index) => checkNames(`builds.${index}.machines`, build.machines ?? {})),
  ];
  const unmatched: Plan['unmatched'] = [];
  const selected = machines.filter((machine) => {
    const why = whyNot(spec.machines, machine);
    if (why !== null) unmatched.push({ machine: machine.name, why });
    return why === null;
  });
  const planned = setsOf(spec, selected, stock);
  problems.push(...planned.problems);
  const { lanes } = planned;
  const used = new Set(lanes.flatMap((lane) => lane.machines));
  const testers = new Map(lanes.map(({ combination, machines: [first] }) => [combination.hash, first ?? '']));
  for (const machine of selected) {
    const { name, paths } = machine;
    if (used.has(name)) continue;
    const twin = paths.map(({ combination }) => testers.get(combination.hash)).find((each) => each !== undefined);
    const why =
      twin === undefined
        ? whyNoSuite(spec, machine)
        : `has the combination of ${twin}, where all is tested that is asked of it; machines.each tests both`;
    unmatched.push({ machine: name, why });
  }
  const { sets } = planned;
  // Not as arguments of push: a farm may have more machines than a call takes arguments.
  const found = [
    ...problems,
    ...(sets.length === 0 && planned.problems.length === 0 ? nothingMatches(spec.machines, machines, unmatched) : []),
    ...tooManyJobs(sets.length, spec.repeat),
  ];
  const refused = (some: readonly ProblemItem[]): Plan => ({
    spec,
    kernels: [],
    jobs: [],
    unmatched,
    problems: limitProblems(some),
  });
  if (found.length > 0) return refused(found);
  const ofRun = planKernels(spec, sets, stock.catalogue.configs);
  if (ofRun.problems.length > 0) return refused(ofRun.problems);
  const jobs = sets.map((set) => plannedJob(set, ofRun));
  return { spec, kernels: ofRun.kernels, jobs: inTurns(jobs, spec.repeat), unmatched, problems: [] };
}

/** What a run tests: each kernel on each lane, or the sets of its roles. */
function setsOf(
  spec: RunSpec,
  machines: readonly PlannableMachine[],
  stock: PlanningStock,
): ReturnType<typeof roleSetsOf> {
  if (spec.roles !== undefined) return roleSetsOf(spec, spec.roles, machines, stock);
  const lanes = lanesOf(spec, machines, stock, JOBS_MAX);
  const sets = spec.builds.flatMap(({ name: build }, buildIndex) =>
    lanes.flatMap((lane, index): RoleSet[] => {
      const suites = lane.suites.get(buildIndex);
      if (suites === undefined) return [];
      return [{ roles: [{ role: SOLE_ROLE, buildIndex, build, suites, lane }], lane: index + 1 }];
    }),
  );
  return { sets, lanes, problems: [] };
}

function plannedJob({ roles, lane }: RoleSet, kernels: PlannedKernels): PlannedJob {
  const planned = roles.map((role) => plannedRole(role, kernels));
  const [first] = planned;
  if (first === undefined) throw new Error('a set without roles');
  const { role: _role, ...own } = first;
  return { ...own, combination: combinationOfJob(planned), roles: planned, lane, boot: 1 };
}

function plannedRole({ lane, buildIndex, ...role }: RoleOfSet, { kernelOn }: PlannedKernels): PlannedRole {
  const { wish, machines, path, combination } = lane;
  return { ...role, kernel: kernelOn(buildIndex, wish.onlyMachine), machines, wish, path, combination };
}

/** Of one machine its own; of several one that no machine has. */
function combinationOfJob(roles: readonly PlannedRole[]): Combination {
  const [first, ...others] = roles;
  if (first !== undefined && others.length === 0) return first.combination;
  const identity = combinationOfRoles(
    roles.map(({ role, build, combination }) => ({ role, build, identity: combination.identity })),
  );
  const hash = createHash('sha256').update(canonicalJson(identity)).digest('hex');
  return { hash, label: combinationLabel(identity), identity };
}

function whyNoSuite({ ownSuites = [] }: RunSpec, { runsOwnSuites }: PlannableMachine): string {
  return ownSuites.length > 0 && runsOwnSuites === false
    ? 'has an agent that is too old for suites of a run; update it'
    : 'has no suite left by suiteMachines, builds and what the suites need';
}

/** Test jobs of a run: 8 builds on the 2000 machines that an agent may have. */
const JOBS_MAX = 16_000;

function tooManyJobs(once: number, repeat = 1): ProblemItem[] {
  if (once * repeat <= JOBS_MAX) return [];
  if (once > JOBS_MAX) {
    const message = `there are more than ${JOBS_MAX} pairs of a build and a pair of devices`;
    return [{ path: 'machines', message, remedy: 'select fewer machines' }];
  }
  return [
    {
      path: 'repeat',
      message: `${repeat} boots of ${once} pairs of a build and a machine are more than ${JOBS_MAX}`,
      remedy: 'repeat less, or name fewer machines',
    },
  ];
}

/**
 * All jobs once for each boot. The machine of a lane boots the builds in turns, A B A B …, so that what changes over the run (a
 * machine that warms up) meets all builds alike and is no difference between them.
 */
function inTurns(jobs: readonly PlannedJob[], repeat = 1): PlannedJob[] {
  return Array.from({ length: repeat }, (_, index) => jobs.map((job) => ({ ...job, boot: index + 1 }))).flat();
}

function whyNot(selection: MachineSelection, machine: PlannableMachine): string | null {
  const why = whyNotSelected(selection, machine);
  if (why !== null) return why;
  if (!machine.configured) return 'is no longer in the configuration of its agent';
  return machine.paths.length > 0 ? null : 'has no provider and client pair (or its inventory is not known yet)';
}

function checkBuilds(spec: RunSpec, stock: PlanningStock): ProblemItem[] {
  const problems: ProblemItem[] = [];
  spec.builds.forEach((build, index) => {
    if (build.bundle !== undefined) {
      if (!stock.bundles.has(build.bundle)) {
        problems.push({
          path: `builds.${index}.bundle`,
          message: `no bundle with the key ${build.bundle} is stored`,
          remedy: 'upload and register it first, or give a series',
        });
      }
      return;
    }
    for (const field of ['tarball', 'configFile'] as const) {
      const sha256 = build[field];
      if (sha256 === undefined || stock.artifacts.has(sha256)) continue;
      problems.push({
        path: `builds.${index}.${field}`,
        message: `no artifact ${sha256} is stored`,
        remedy: 'upload it first: peerlab upload FILE',
      });
    }
    for (const [at, source] of (build.series ?? []).entries()) {
      if (typeof source !== 'object' || !('artifact' in source) || stock.artifacts.has(source.artifact)) continue;
      problems.push({
        path: `builds.${index}.series.${at}.artifact`,
        message: `no artifact ${source.artifact} is stored`,
        remedy: 'upload it first, or give the text as mbox',
      });
    }
  });
  problems.push(...tooLargeBuilds(spec));
  if (problems.length === 0) problems.push(...checkSeries(spec).problems);
  problems.push(...checkOwnSuites(spec, stock.artifacts));
  return problems.length > 0 ? problems : checkOffered(spec, stock);
}

/** Names that are held against all machines for the one that was meant; more are named without. */
const HINTS_MAX = 10;

/**
 * Checks the names of one selection after the other. A misspelled machine must not be left out in silence just
 * because another name matches.
 */
function nameChecker(known: readonly string[]): (field: string, selection: MachineSelection) => ProblemItem[] {
  const isKnown = new Set(known);
  let hints = 0;
  return (field, selection) =>
    (selection.names ?? []).flatMap((name, index): ProblemItem[] => {
      if (isKnown.has(name)) return [];
      const problem = { path: `${field}.names.${index}`, message: `there is no machine "${name}"` };
      hints += 1;
      if (hints > HINTS_MAX) return [problem];
      const near = nearestName(name, known);
      const remedy = near === null ? `machines are ${fewOf(known) || 'not known yet'}` : `did you mean "${near}"?`;
      return [{ ...problem, remedy }];
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

function without(selection: MachineSelection, key: 'names' | 'paths' | 'combinations'): MachineSelection {
  const rest = { ...selection };
  delete rest[key];
  return rest;
}

interface Condition {
  text: string;
  /** The condition alone. */
  only: MachineSelection;
  drop: (selection: MachineSelection) => MachineSelection;
}

/** At most a handful of conditions are written by hand; more would not help the reader. */
const DROPPED_MAX = 8;

/**
 * The selection with the fewest conditions dropped that matches something, in words; null if none does. Each
 * machine is held against each condition once: what it fails is the least to drop for it.
 */
export function nearestSelection(selection: MachineSelection, machines: readonly PlannableMachine[]): string | null {
  const conditions = conditionsOf(selection).slice(0, DROPPED_MAX);
  const rest = conditions.reduce((left, condition) => condition.drop(left), selection);
  const candidates = machines
    .filter((machine) => whyNot(rest, machine) === null)
    .map((machine) => ({
      name: machine.name,
      fails: conditions.reduce(
        (bits, { only }, index) => (whyNotSelected(only, machine) === null ? bits : bits | (1 << index)),
        0,
      ),
    }))
    .filter(({ fails }) => fails !== 0);
  const dropped = candidates
    .map(({ fails }) => fails)
    .reduce((best, fails) => (best === 0 || isLess(fails, best) ? fails : best), 0);
  if (dropped === 0) return null;
  const matching = candidates.filter(({ fails }) => (fails & ~dropped) === 0).map(({ name }) => name);
  const texts = conditions.filter((_condition, index) => (dropped & (1 << index)) !== 0).map(({ text }) => text);
  return `without ${texts.join(' and ')} it would match ${fewOf(matching)}`;
}

/** Fewer conditions first, then those that stand first. */
function isLess(a: number, b: number): boolean {
  const [countA, countB] = [bitCount(a), bitCount(b)];
  return countA === countB ? a < b : countA < countB;
}

const bitCount = (bits: number): number => bits.toString(2).replaceAll('0', '').length;

function conditionsOf(selection: MachineSelection): Condition[] {
  const conditions: Condition[] = [];
  if (selection.names !== undefined && selection.names.length > 0) {
    const { names } = selection;
    conditions.push({ text: `names ${fewOf(names)}`, only: { names }, drop: (left) => without(left, 'names') });
  }
  if (selection.paths !== undefined) {
    const { paths } = selection;
    conditions.push({ text: `paths ${paths.join(', ')}`, only: { paths }, drop: (left) => without(left, 'paths') });
  }
  if (selection.combinations !== undefined) {
    const { combinations } = selection;
    const text = `combinations ${fewOf(combinations.map((hash) => hash.slice(0, 12)))}`;
    conditions.push({ text, only: { combinations }, drop: (left) => without(left, 'combinations') });
  }
  for (const [key, value] of Object.entries(selection.labels ?? {})) {
    conditions.push({
      text: `label ${key}=${value}`,
      only: { labels: { [key]: value } },
      drop: (left) => {
        const labels = Object.fromEntries(Object.entries(left.labels ?? {}).filter(([name]) => name !== key));
        return { ...left, labels };
      },
    });
  }
  return conditions;
}
