import { z } from 'zod';
import { OWN_CONFIG } from './catalogue.js';
import { Labels, Name, Sha256, SuiteName } from './ids.js';
import { Role, ROLES_MAX, SOLE_ROLE } from './participants.js';
import { PathKind } from './paths.js';
import { MutantBudget } from './mutants.js';
import { fewOf } from './problem.js';
import { KSELFTESTS_MAX } from './bundle.js';
import { BaseName, ConfigFragment, GitSource } from './kernel-source.js';
import { Kselftest, SuiteDefinition, suiteOfVariant } from './suite.js';

/** Largest series accepted as mbox text, in characters. */
export const MBOX_MAX = 4 * 1024 * 1024;

/**
 * Where patches come from, applied in the order given: `bundled` = kernel/patches of this farm,
 * a mutant = kernel/mutants/NAME.patch, mbox text, or an uploaded mbox by digest.
 */
export const SeriesSource = z.union(
  [
    z.literal('bundled'),
    z.strictObject({ mutant: Name.describe('a deliberate fault of kernel/mutants, by its file name without .patch') }),
    z.strictObject({
      mbox: z.string().min(1).max(MBOX_MAX).describe('patches as git format-patch --stdout writes them'),
    }),
    z.strictObject({ artifact: Sha256.describe('an uploaded mbox, by its SHA-256') }),
  ],
  { error: 'expected "bundled", {mutant: NAME}, {mbox: TEXT} or {artifact: SHA256}' },
);
export type SeriesSource = z.infer<typeof SeriesSource>;

/** Labels that a selection may ask for; each machine is held against all of them. */
const SELECTED_LABELS_MAX = 32;
const SelectedLabels = Labels.refine((labels) => Object.keys(labels).length <= SELECTED_LABELS_MAX, {
  error: `at most ${SELECTED_LABELS_MAX} labels`,
});

/** Combinations that a selection may name. */
const SELECTED_COMBINATIONS_MAX = 500;

export const MachineSelection = z.strictObject({
  /** Empty or absent means any. All given conditions must hold. */
  names: z.array(Name).max(2000).optional().describe('only these machines; none named = any'),
  labels: SelectedLabels.optional().describe('only machines with all of these labels'),
  paths: z
    .array(PathKind)
    .min(1)
    .optional()
    .describe('only provider and client pairs whose path is of one of these kinds'),
  combinations: z
    .array(Sha256)
    .min(1)
    .max(SELECTED_COMBINATIONS_MAX)
    .optional()
    .describe('only pairs of these hardware combinations, by their hashes'),
});
export type MachineSelection = z.infer<typeof MachineSelection>;

/** Where a run tests. */
export const RunMachines = MachineSelection.extend({
  each: z
    .boolean()
    .optional()
    .describe(
      'test every selected machine, also those of one combination; so does a run that names machines, and a build with config: machine',
    ),
});
export type RunMachines = z.infer<typeof RunMachines>;

/** Suites of one run, each variant counted. */
export const RUN_SUITES_MAX = 64;

/** What of a build says where its sources come from, besides the series. */
const SOURCE_FIELDS = ['git', 'tarball', 'base'] as const;

/** A kernel to test: a base of the farm, a git tree or a tarball plus series, or a ready bundle that was uploaded. */
export const BuildSpec = z
  .strictObject({
    name: Name.describe('how the build is called in grids and comparisons'),
    series: z
      .array(SeriesSource)
      .max(32)
      .optional()
      .describe('patches on the source, applied in this order; an empty list is the source as it is'),
    git: GitSource.optional().describe('build from a git repository instead of the farm’s base'),
    tarball: Sha256.optional().describe('build from an uploaded source tarball, by its SHA-256'),
    base: BaseName.optional().describe(
      'build from another base of kernel/base.json, by its name in quotes; the bundled series is carried over to it',
    ),
    config: Name.optional().describe(
      'kernel configuration, by its name in kernel/config; machine = for each machine the one that machine configure made of its own',
    ),
    configFile: Sha256.optional().describe(
      'an uploaded kernel configuration to start from instead of a named one, such as your /boot/config-…, by its SHA-256',
    ),
    fragment: ConfigFragment.optional().describe('settings on top of the configuration, as lines of a .config'),
    suites: z
      .array(SuiteName)
      .min(1)
      .max(RUN_SUITES_MAX)
      .optional()
      .describe('only these of the run’s suites on this build'),
    machines: MachineSelection.optional().describe('only those of the run’s machines that also match here'),
    kselftests: z
      .array(Kselftest)
      .max(KSELFTESTS_MAX)
      .optional()
      .describe('targets of the kernel’s own selftests that are built with it, besides those that suites name'),
    mutants: MutantBudget.optional().describe(
      'makes mutants of the lines that the series adds, and says which of them the suites notice; auto, or a budget',
    ),
    bundle: Sha256.optional().describe('content key of a kernel that is built already, instead of a series'),
  })
  .superRefine((build, context) => {
    const wrong = (path: string[], message: string): void => context.addIssue({ code: 'custom', path, message });
    const sources = SOURCE_FIELDS.filter((field) => build[field] !== undefined);
    if (sources.length > 1)
      wrong([sources.at(-1) ?? ''], 'a kernel has one source: leave out all of git, tarball and base but one');
    if (build.config !== undefined && build.configFile !== undefined)
      wrong(['configFile'], 'a kernel starts from one configuration: leave out config or configFile');
    if (build.mutants !== undefined && build.bundle === undefined && (build.series ?? []).length === 0)
      wrong(['mutants'], 'there is no series to make mutants of');
    if (build.bundle === undefined) {
      if (build.series === undefined && sources.length === 0)
        wrong(
          [],
          'give series (an empty list is the untouched base), git, tarball, base, or bundle (the content key of an uploaded one)',
        );
      return;
    }
    if (build.series !== undefined || sources.length > 0)
      wrong(
        [],
        'give either series, git, tarball and base, or bundle (the content key of an uploaded one): a built kernel takes no patches',
      );
    if (build.fragment !== undefined) wrong(['fragment'], 'a bundle is built already; leave the fragment out');
    if (build.configFile !== undefined) wrong(['configFile'], 'a bundle is built already; leave the configuration out');
    if (build.config === OWN_CONFIG)
      wrong(['config'], 'a bundle is built already, and not for each machine; leave the config out');
  });
export type BuildSpec = z.infer<typeof BuildSpec>;

/** Builds of one run. */
const BUILDS_MAX = 8;

/** One machine of a job with several: where it is, what it boots, and what it runs there. */
export const RunRole = z.strictObject({
  name: Role.describe('how the role is called; its suites find it in PEERLAB_ROLE'),
  machines: MachineSelection.optional().describe('only those of the run’s machines that also match here'),
  builds: z
    .array(Name)
    .min(1)
    .max(BUILDS_MAX)
    .optional()
    .describe(
      'kernels of this role, each against each of the other roles; without it the kernel of the first role, whose default is every build',
    ),
  suites: z
    .array(SuiteName)
    .min(1)
    .max(RUN_SUITES_MAX)
    .optional()
    .describe('only these of the run’s suites on the machine of this role'),
  rdmaDevice: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe('the port: only the pair whose client has this RDMA device, as the inventory names it (mlx5_0)'),
});
export type RunRole = z.infer<typeof RunRole>;

/** Labels whose values the machines of a job must share. */
const RELATED_LABELS_MAX = 8;

/** How the machines of the roles of one job belong together. They are always different machines. */
export const RoleRelation = z.strictObject({
  sameLabels: z
    .array(z.string().min(1).max(64))
    .min(1)
    .max(RELATED_LABELS_MAX)
    .describe('labels that all machines of a job have with one value, such as switch or fabric'),
});
export type RoleRelation = z.infer<typeof RoleRelation>;

/** Limits as a person may set them; `effectiveTimeouts` gives those that are not set. */
export const Timeouts = z.strictObject({
  bootSeconds: z
    .number()
    .int()
    .min(10)
    .max(3600)
    .optional()
    .describe('seconds from the reboot command to a proven kernel'),
  attemptSeconds: z
    .number()
    .int()
    .min(60)
    .max(86_400)
    .optional()
    .describe('seconds from the first stage to the last; bringing the machine back is not counted'),
});
export type Timeouts = z.infer<typeof Timeouts>;
export const EffectiveTimeouts = z.strictObject({ bootSeconds: z.number().int(), attemptSeconds: z.number().int() });
export type EffectiveTimeouts = z.infer<typeof EffectiveTimeouts>;

/** A machine under software emulation beside a kernel build has been seen to take four minutes. */
const BOOT_SECONDS = 300;
/** First boot and two more after crashes; a crash loop may run into the limit. */
const BOOTS_PER_ATTEMPT = 3;
const LEAST_ATTEMPT_SECONDS = 1800;

/**
 * The limits of one attempt, in seconds. What the run does not say follows from the limits that its suites set
 * themselves.
 * @param bootFactor how many times longer the kernel's configuration boots than the fastest one
 */
export function effectiveTimeouts(
  given: Timeouts,
  bootFactor: number,
  suites: readonly { timeoutSeconds: number }[],
): EffectiveTimeouts {
  const bootSeconds = given.bootSeconds ?? Math.min(3600, Math.round(BOOT_SECONDS * bootFactor));
  const needed = BOOTS_PER_ATTEMPT * bootSeconds + suites.reduce((sum, { timeoutSeconds }) => sum + timeoutSeconds, 0);
  return {
    bootSeconds,
    attemptSeconds: given.attemptSeconds ?? Math.min(86_400, Math.max(LEAST_ATTEMPT_SECONDS, needed)),
  };
}

/** Boots of each build on each machine that a run may ask for. */
export const REPEAT_MAX = 20;

const FIELDS = {
  name: z.string().trim().min(1).max(120).describe('what the run is for, in a few words'),
  builds: z.array(BuildSpec).min(1).max(BUILDS_MAX).describe('the kernels to test'),
  suites: z
    .array(SuiteName)
    .min(1)
    .max(RUN_SUITES_MAX)
    .default(() => [])
    .describe('what to run on each kernel; without it what the farm runs by default'),
  suiteMachines: z
    .record(SuiteName, MachineSelection)
    .optional()
    .describe('suites that run only on those of the run’s machines that also match here'),
  machines: RunMachines.default({}).describe('where to run; all conditions must hold, none = every machine'),
  pairs: z
    .enum(['distinct', 'all'])
    .optional()
    .describe('provider and client pairs of a machine: one of each combination (distinct, the default), or all'),
  roles: z
    .array(RunRole)
    .min(2)
    .max(ROLES_MAX)
    .optional()
    .describe('several machines in each job, one for each role; without it each job has one machine'),
  relation: RoleRelation.optional().describe('how the machines of the roles belong together'),
  priority: z.number().int().min(0).max(100).default(50).describe('higher goes first; 50 unless given'),
  repeat: z
    .number()
    .int()
    .min(1)
    .max(REPEAT_MAX)
    .optional()
    .describe('boots of each build on each machine, in turns (A B A B …); 5 make a comparison of metrics possible'),
  timeouts: Timeouts.default({}).describe('limits of an attempt, where those that follow from the run do not fit'),
};

type Checked = Pick<RunSpec, 'suites' | 'suiteMachines' | 'roles' | 'relation'> & {
  builds: readonly Pick<BuildSpec, 'name' | 'suites' | 'mutants'>[];
};

/** Names that stand twice, or that nothing has. */
function checkNames(spec: Checked, wrong: (path: (string | number)[], message: string) => void): void {
  const seen = new Set<string>();
  spec.builds.forEach(({ name }, index) => {
    if (seen.has(name)) wrong(['builds', index, 'name'], `the name "${name}" is used twice`);
    seen.add(name);
  });
  checkRoles(spec, wrong);
  // Where the farm's own choice is asked for, this is checked when that is known.
  if (spec.suites.length === 0) return;
  for (const { path, message } of unknownSuites(spec)) wrong(path, message);
}

function checkRoles(
  { roles = [], relation, builds }: Checked,
  wrong: (path: (string | number)[], message: string) => void,
): void {
  if (relation !== undefined && roles.length === 0) wrong(['relation'], 'a relation needs roles; add them');
  builds.forEach(({ mutants }, index) => {
    if (mutants !== undefined && roles.length > 0)
      wrong(['builds', index, 'mutants'], 'a job of several machines tries no mutants; put it into a run of its own');
  });
  const seen = new Set<string>();
  roles.forEach(({ name, builds: named = [] }, index) => {
    if (seen.has(name)) wrong(['roles', index, 'name'], `the role "${name}" is there twice`);
    if (name === SOLE_ROLE)
      wrong(['roles', index, 'name'], `"${SOLE_ROLE}" is the role of jobs with one machine; choose another name`);
    seen.add(name);
    named.forEach((build, at) => {
      if (builds.every((each) => each.name !== build))
        wrong(['roles', index, 'builds', at], `the run has no build "${build}"; add it to builds`);
    });
  });
}

/** A run as it is stored: suites by their names, with the definitions of those that no bundle has. */
export const RunSpec = z
  .strictObject({ ...FIELDS, ownSuites: z.array(SuiteDefinition).max(RUN_SUITES_MAX).optional() })
  .superRefine((spec, context) =>
    checkNames(spec, (path, message) => context.addIssue({ code: 'custom', path, message })),
  );
export type RunSpec = z.infer<typeof RunSpec>;

/** A suite of a run file: the name of one that the farm knows, or what it is. */
export const SuiteChoice = z.union([SuiteName, SuiteDefinition], {
  error: 'expected the name of a suite, or what it is: name, script and so on',
});
export type SuiteChoice = z.infer<typeof SuiteChoice>;

/** A run as people write it in YAML. */
export const RunFile = z
  .strictObject({
    ...FIELDS,
    suites: z
      .array(SuiteChoice)
      .min(1)
      .max(RUN_SUITES_MAX)
      .default(() => [])
      .describe('what to run on each kernel: names, or suites of your own; without it what the farm runs by default'),
  })
  .superRefine((file, context) => {
    const wrong = (path: (string | number)[], message: string): void =>
      context.addIssue({ code: 'custom', path, message });
    const names = file.suites.map((suite) => (typeof suite === 'string' ? suite : suite.name));
    checkNames({ ...file, suites: names }, wrong);
    file.suites.forEach((suite, index) => {
      if (typeof suite === 'string' || names.indexOf(suite.name) === index) return;
      wrong(['suites', index, 'name'], `the name "${suite.name}" is used twice`);
    });
  });
export type RunFile = z.infer<typeof RunFile>;
/** As written, before defaults are filled in. */
export type RunSpecInput = z.input<typeof RunSpec>;

/** Suites that builds and selections of a run name, but not the run itself. */
export function unknownSuites(
  spec: Pick<RunSpec, 'suites' | 'suiteMachines' | 'roles'> & { builds: readonly Pick<BuildSpec, 'suites'>[] },
): { path: (string | number)[]; message: string }[] {
  // Variants of a suite may be named together by the name of the suite.
  const own = new Set(spec.suites.flatMap((suite) => [suite, suiteOfVariant(suite)]));
  const named = [
    ...spec.builds.flatMap(({ suites }, index) =>
      (suites ?? []).map((suite, at) => ({ suite, path: ['builds', index, 'suites', at] })),
    ),
    ...(spec.roles ?? []).flatMap(({ suites }, index) =>
      (suites ?? []).map((suite, at) => ({ suite, path: ['roles', index, 'suites', at] })),
    ),
    ...Object.keys(spec.suiteMachines ?? {}).map((suite) => ({ suite, path: ['suiteMachines', suite] })),
  ];
  return named
    .filter(({ suite }) => !own.has(suite) && !own.has(suiteOfVariant(suite)))
    .map(({ suite, path }) => ({ path, message: `the run has no suite "${suite}"; add it to suites` }));
}

/** The parts of a machine that selection looks at. */
export interface SelectableMachine {
  name: string;
  labels: Labels;
  paths: readonly { kind: PathKind; combination: { hash: string } }[];
  /** Whether its agent runs suites that no bundle has; those older than the catalogue do not. */
  runsOwnSuites?: boolean | undefined;
}

const nameSets = new WeakMap<readonly string[], ReadonlySet<string>>();

/** A list of names as a set, made once: thousands of machines are held against thousands of names. */
function setOf(names: readonly string[]): ReadonlySet<string> {
  const known = nameSets.get(names) ?? new Set(names);
  nameSets.set(names, known);
  return known;
}

/** Why a machine is not selected, or null when it is. */
export function whyNotSelected(selection: MachineSelection, machine: SelectableMachine): string | null {
  if (selection.names !== undefined && selection.names.length > 0 && !setOf(selection.names).has(machine.name)) {
    return `is not among the names ${fewOf(selection.names)}`;
  }
  for (const [key, value] of Object.entries(selection.labels ?? {})) {
    if (machine.labels[key] !== value)
      return `has no label ${key}=${value}${machine.labels[key] === undefined ? '' : ` (it has ${key}=${machine.labels[key]})`}`;
  }
  const wanted = selection.paths;
  if (wanted !== undefined && !machine.paths.some((path) => wanted.includes(path.kind))) {
    return `has no path of kind ${wanted.join(' or ')}`;
  }
  const { combinations } = selection;
  if (combinations !== undefined && !machine.paths.some(({ combination }) => combinations.includes(combination.hash))) {
    return `has no pair of the combination ${fewOf(combinations.map((hash) => hash.slice(0, 12)))}`;
  }
  return null;
}

/** What a run, or a build of it, says of a suite: under the name of the variant, or of the suite. */
const named = (names: readonly string[], suite: string): boolean =>
  names.includes(suite) || names.includes(suiteOfVariant(suite));

/**
 * The run's suites that a build runs on a machine, in the order of the run; empty = nothing to do there.
 * @param ofRole those that the role runs which the machine has; undefined = all
 */
export function suitesFor(
  spec: Pick<RunSpec, 'suites' | 'suiteMachines' | 'ownSuites'>,
  build: Pick<BuildSpec, 'suites' | 'machines'>,
  machine: SelectableMachine,
  ofRole?: readonly string[],
): string[] {
  if (whyNotSelected(build.machines ?? {}, machine) !== null) return [];
  return spec.suites.filter(
    (suite) =>
      (machine.runsOwnSuites !== false || ownSuiteOf(spec, suite) === undefined) &&
      (build.suites === undefined || named(build.suites, suite)) &&
      (ofRole === undefined || named(ofRole, suite)) &&
      selectionsOfSuite(spec, suite).every((selection) => whyNotSelected(selection, machine) === null),
  );
}

/** What a run says of the machines of a suite, and what the suite itself needs; all of it must hold. */
export function selectionsOfSuite(
  spec: Pick<RunSpec, 'suiteMachines' | 'ownSuites'>,
  suite: string,
): MachineSelection[] {
  const labels = ownSuiteOf(spec, suite)?.needs?.labels;
  return [
    spec.suiteMachines?.[suite] ?? spec.suiteMachines?.[suiteOfVariant(suite)] ?? {},
    labels === undefined ? {} : { labels },
  ];
}

/** The definition of a suite that no bundle has; undefined for others. */
export function ownSuiteOf({ ownSuites }: Pick<RunSpec, 'ownSuites'>, suite: string): SuiteDefinition | undefined {
  return ownSuites?.find(({ name }) => name === suiteOfVariant(suite));
}
