import { z } from 'zod';
import { Labels, Name, Sha256 } from './ids.js';
import { PathKind } from './paths.js';

/** Largest series accepted as mbox text, in characters. */
export const MBOX_MAX = 4 * 1024 * 1024;

/**
 * Where patches come from, applied in the order given: `bundled` = kernel/patches of this farm,
 * a mutant = kernel/mutants/NAME.patch, mbox text, or an uploaded mbox by digest.
 */
export const SeriesSource = z.union(
  [
    z.literal('bundled'),
    z.strictObject({ mutant: Name }),
    z.strictObject({ mbox: z.string().min(1).max(MBOX_MAX) }),
    z.strictObject({ artifact: Sha256 }),
  ],
  { error: 'expected "bundled", {mutant: NAME}, {mbox: TEXT} or {artifact: SHA256}' },
);
export type SeriesSource = z.infer<typeof SeriesSource>;

export const MachineSelection = z.strictObject({
  /** Empty or absent means any. All given conditions must hold. */
  names: z.array(Name).max(2000).optional(),
  labels: Labels.optional(),
  paths: z.array(PathKind).min(1).optional(),
});
export type MachineSelection = z.infer<typeof MachineSelection>;

/** A kernel to test: the base plus series, or a ready bundle that was uploaded. */
export const BuildSpec = z
  .strictObject({
    name: Name,
    series: z.array(SeriesSource).max(32).optional(),
    config: Name.optional(),
    /** Only these of the run's suites on this build. */
    suites: z.array(Name).min(1).max(32).optional(),
    /** Only on those of the run's machines that also match here. */
    machines: MachineSelection.optional(),
    /** Content key of a bundle that was uploaded and registered. */
    bundle: Sha256.optional(),
  })
  .refine((build) => (build.bundle === undefined) !== (build.series === undefined), {
    error: 'give either series (an empty list is the untouched base) or bundle (the content key of an uploaded one)',
  });
export type BuildSpec = z.infer<typeof BuildSpec>;

/** Suites that a bundle made from this farm's kernel/ may have. What a bundle lacks is skipped with that reason. */
export const SUITES = [
  'p2p-functional',
  'p2p-perf',
  'p2p-rdma',
  'p2p-soak',
  'hmm-tests',
  'hmm-tests-coherent',
  'mm-kselftest',
  'kunit',
] as const;
/** What a run asks for that names no suites. */
export const DEFAULT_SUITES = ['p2p-functional', 'p2p-perf'] as const;

/** Limits as a person may set them; `effectiveTimeouts` gives those that are not set. */
export const Timeouts = z.strictObject({
  /** From the reboot command to a proven kernel. */
  bootSeconds: z.number().int().min(10).max(3600).optional(),
  /** From the first stage to the last, restore not counted. */
  attemptSeconds: z.number().int().min(60).max(86_400).optional(),
});
export type Timeouts = z.infer<typeof Timeouts>;
export const EffectiveTimeouts = z.strictObject({ bootSeconds: z.number().int(), attemptSeconds: z.number().int() });
export type EffectiveTimeouts = z.infer<typeof EffectiveTimeouts>;

/** A machine under software emulation beside a kernel build has been seen to take four minutes. */
const BOOT_SECONDS = 300;
/** How many times longer a kernel boots with this configuration; 1 when not named. */
const BOOT_FACTOR: Readonly<Record<string, number>> = { debug: 3 };
/** First boot and two more after crashes; a crash loop may run into the limit. */
const BOOTS_PER_ATTEMPT = 3;
const LEAST_ATTEMPT_SECONDS = 1800;

/**
 * The limits of one attempt, in seconds. What the run does not say follows from the kernel's
 * configuration and from the limits that its suites set themselves.
 */
export function effectiveTimeouts(
  given: Timeouts,
  config: string,
  suites: readonly { timeoutSeconds: number }[],
): EffectiveTimeouts {
  const bootSeconds = given.bootSeconds ?? Math.min(3600, BOOT_SECONDS * (BOOT_FACTOR[config] ?? 1));
  const needed = BOOTS_PER_ATTEMPT * bootSeconds + suites.reduce((sum, { timeoutSeconds }) => sum + timeoutSeconds, 0);
  return {
    bootSeconds,
    attemptSeconds: given.attemptSeconds ?? Math.min(86_400, Math.max(LEAST_ATTEMPT_SECONDS, needed)),
  };
}

/** A run as people write it in YAML. */
export const RunSpec = z
  .strictObject({
    name: z.string().trim().min(1).max(120),
    builds: z.array(BuildSpec).min(1).max(8),
    suites: z
      .array(Name)
      .min(1)
      .max(32)
      .default([...DEFAULT_SUITES]),
    /** Suites that do not run on every machine: those of the selection that also match here. */
    suiteMachines: z.record(Name, MachineSelection).optional(),
    machines: MachineSelection.default({}),
    priority: z.number().int().min(0).max(100).default(50),
    timeouts: Timeouts.default({}),
  })
  .superRefine((spec, context) => {
    const seen = new Set<string>();
    spec.builds.forEach((build, index) => {
      if (seen.has(build.name))
        context.addIssue({
          code: 'custom',
          path: ['builds', index, 'name'],
          message: `the name "${build.name}" is used twice`,
        });
      seen.add(build.name);
      build.suites?.forEach((suite, at) => {
        if (!spec.suites.includes(suite)) {
          const message = `the run has no suite "${suite}"; add it to suites`;
          context.addIssue({ code: 'custom', path: ['builds', index, 'suites', at], message });
        }
      });
    });
    for (const suite of Object.keys(spec.suiteMachines ?? {})) {
      if (spec.suites.includes(suite)) continue;
      const message = `the run has no suite "${suite}"; add it to suites`;
      context.addIssue({ code: 'custom', path: ['suiteMachines', suite], message });
    }
  });
export type RunSpec = z.infer<typeof RunSpec>;
/** As written, before defaults are filled in. */
export type RunSpecInput = z.input<typeof RunSpec>;

/** The parts of a machine that selection looks at. */
export interface SelectableMachine {
  name: string;
  labels: Labels;
  paths: readonly { kind: PathKind }[];
}

/** Why a machine is not selected, or null when it is. */
export function whyNotSelected(selection: MachineSelection, machine: SelectableMachine): string | null {
  if (selection.names !== undefined && selection.names.length > 0 && !selection.names.includes(machine.name)) {
    return `is not among the names ${selection.names.join(', ')}`;
  }
  for (const [key, value] of Object.entries(selection.labels ?? {})) {
    if (machine.labels[key] !== value)
      return `has no label ${key}=${value}${machine.labels[key] === undefined ? '' : ` (it has ${key}=${machine.labels[key]})`}`;
  }
  const wanted = selection.paths;
  if (wanted !== undefined && !machine.paths.some((path) => wanted.includes(path.kind))) {
    return `has no path of kind ${wanted.join(' or ')}`;
  }
  return null;
}

/** The run's suites that a build runs on a machine, in the order of the run; empty = nothing to do there. */
export function suitesFor(
  spec: Pick<RunSpec, 'suites' | 'suiteMachines'>,
  build: Pick<BuildSpec, 'suites' | 'machines'>,
  machine: SelectableMachine,
): string[] {
  if (whyNotSelected(build.machines ?? {}, machine) !== null) return [];
  return spec.suites.filter(
    (suite) =>
      (build.suites?.includes(suite) ?? true) && whyNotSelected(spec.suiteMachines?.[suite] ?? {}, machine) === null,
  );
}
