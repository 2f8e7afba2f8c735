import { z } from 'zod';
import { BuildError, BundleManifest } from './bundle.js';
import { DriverBuild } from './driver-build.js';
import { Name, Sha256 } from './ids.js';
import { BaseName, BuiltGit } from './kernel-source.js';
import { Role } from './participants.js';
import { JobState, RunState } from './states.js';
import { Verdict } from './verdict.js';
import { Combination } from './combination.js';
import { timeCursor } from './time-cursor.js';

/** What the HTTP API says of kernel builds. */
const Time = z.iso.datetime();

export const BuildState = z.enum(['pending', 'building', 'ready', 'failed']);

/** What a list shows of a manifest, which as a whole names every test and file. */
export const ManifestSummary = BundleManifest.pick({
  key: true,
  release: true,
  buildId: true,
  config: true,
  features: true,
}).extend({
  patches: z.number().int().nonnegative(),
});
export type ManifestSummary = z.infer<typeof ManifestSummary>;

const BuildHead = z.object({
  id: z.uuid(),
  name: Name,
  runId: z.uuid(),
  runName: z.string(),
  state: BuildState,
  /** `removedAt`: when retention removed the file; the size is then what it was. */
  bundle: z.object({ sha256: Sha256, sizeBytes: z.number(), removedAt: Time.nullable() }).nullable(),
  error: BuildError.nullable(),
  createdAt: Time,
});

/** Where a page of builds ends: `time~build`. */
export const BuildCursor = timeCursor(z.uuid());

/**
 * One line of the list of builds. `manifest` is null until it is built; `cursor` is the `before` of a page that
 * begins after it.
 */
export const BuildSummary = BuildHead.extend({ manifest: ManifestSummary.nullable(), cursor: z.string() });
export type BuildSummary = z.infer<typeof BuildSummary>;

/** What the patches of a build stand on. */
export const BuildBase = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('farm') }),
  z.object({ kind: z.literal('base'), name: BaseName }),
  BuiltGit.extend({ kind: z.literal('git') }),
  z.object({ kind: z.literal('tarball'), sha256: Sha256 }),
]);
export type BuildBase = z.infer<typeof BuildBase>;

/** Where the patches of a build came from, in the order applied. */
export const BuildSource = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('bundled') }),
  z.object({ kind: z.literal('mutant'), name: Name }),
  z.object({ kind: z.literal('mbox'), characters: z.number().int() }),
  z.object({ kind: z.literal('artifact'), sha256: Sha256 }),
]);
export type BuildSource = z.infer<typeof BuildSource>;

/** One patch as it was applied, without its text. */
export const PatchSummary = z.object({
  /** From 1. */
  number: z.number().int().positive(),
  file: z.string(),
  subject: z.string(),
  sha256: Sha256,
  /** What its text says; null where no text is stored. */
  content: z
    .object({
      author: z.string().nullable(),
      date: z.string().nullable(),
      sizeBytes: z.number().int(),
      files: z.array(z.object({ path: z.string(), added: z.number().int(), removed: z.number().int() })),
    })
    .nullable(),
});
export type PatchSummary = z.infer<typeof PatchSummary>;

/** A job of the run that tested this build. */
export const BuildJob = z.object({
  id: z.uuid(),
  /** That boots the build, of a job with several roles; null = the job has one. */
  role: Role.nullable().default(null),
  machine: Name.nullable(),
  combination: Combination.nullable(),
  state: JobState,
  verdict: Verdict.nullable(),
  /** The newest. */
  attemptId: z.uuid().nullable(),
});
export type BuildJob = z.infer<typeof BuildJob>;

export const BuildDetail = BuildHead.extend({
  manifest: BundleManifest.nullable(),
  /** The lab's out-of-tree drivers, each with what became of it with this kernel. */
  drivers: z.array(DriverBuild).default([]),
  run: z.object({ state: RunState, trigger: z.string() }),
  /** Name of the configuration that was asked for. */
  config: Name.nullable(),
  /** The file that the run named instead, by its digest; null = none. */
  configFile: Sha256.nullable().default(null),
  /** Settings that the run put on top of it; null = none. */
  fragment: z.string().nullable(),
  /** Null for a bundle that was uploaded ready-made. */
  source: BuildBase.nullable(),
  /** Null for a bundle that was uploaded ready-made. */
  sources: z.array(BuildSource).nullable(),
  /** Newest attempt of the job that built it; null when nothing had to be built. */
  buildAttemptId: z.uuid().nullable(),
  jobs: z.array(BuildJob),
  patches: z.array(PatchSummary),
  /** Why text of patches is missing, and what brings it; null when all of it is there. */
  missing: z.string().nullable(),
  /** Other builds that became the same bundle, newest first; at most ten of `sameTotal`. */
  same: z.array(z.object({ id: z.uuid(), name: Name, runId: z.uuid(), runName: z.string(), createdAt: Time })),
  sameTotal: z.number().int().nonnegative(),
});
export type BuildDetail = z.infer<typeof BuildDetail>;

/** A patch as text: what was applied, decoded from its mail. */
export const PatchText = z.object({ number: z.number().int(), text: z.string() });
export type PatchText = z.infer<typeof PatchText>;

/** The first digits of a kernel's build-id; fewer would match half of all kernels. */
export const BuildIdPrefix = z
  .string()
  .toLowerCase()
  .regex(/^[0-9a-f]{4,64}$/);
export type BuildIdPrefix = z.infer<typeof BuildIdPrefix>;

export const BuildsQuery = z.object({
  before: BuildCursor.optional(),
  /** Only builds whose kernel has a build-id that starts so. */
  buildId: BuildIdPrefix.optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});
