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

/** A kernel to test: the base plus series, or a ready bundle that was uploaded. */
export const BuildSpec = z
  .strictObject({
    name: Name,
    series: z.array(SeriesSource).max(32).optional(),
    config: Name.optional(),
    /** Content key of a bundle that was uploaded and registered. */
    bundle: Sha256.optional(),
  })
  .refine((build) => (build.bundle === undefined) !== (build.series === undefined), {
    error: 'give either series (an empty list is the untouched base) or bundle (the content key of an uploaded one)',
  });
export type BuildSpec = z.infer<typeof BuildSpec>;

export const MachineSelection = z.strictObject({
  /** Empty or absent means any. All given conditions must hold. */
  names: z.array(Name).max(2000).optional(),
  labels: Labels.optional(),
  paths: z.array(PathKind).min(1).optional(),
});
export type MachineSelection = z.infer<typeof MachineSelection>;

export const SUITES = ['p2p-functional', 'p2p-perf'] as const;

export const Timeouts = z.strictObject({
  /** From the reboot command to a proven kernel. */
  bootSeconds: z.number().int().min(10).max(3600).default(300),
  /** From the first stage to the last, restore not counted. */
  attemptSeconds: z.number().int().min(60).max(86_400).default(1800),
});

/** A run as people write it in YAML. */
export const RunSpec = z
  .strictObject({
    name: z.string().trim().min(1).max(120),
    builds: z.array(BuildSpec).min(1).max(8),
    suites: z
      .array(Name)
      .min(1)
      .max(32)
      .default([...SUITES]),
    machines: MachineSelection.default({}),
    priority: z.number().int().min(0).max(100).default(50),
    timeouts: Timeouts.default({ bootSeconds: 300, attemptSeconds: 1800 }),
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
    });
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
