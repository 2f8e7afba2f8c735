import { z } from 'zod';
import { Name, Sequence, Sha256 } from './ids.js';
import { PathRule } from './path-rule.js';

/**
 * Free text that peers write: what is longer than `max` characters is cut. A refusal would stop a
 * well-behaved older peer for the sake of a long subject line.
 */
const text = (max: number) => z.string().overwrite((value) => cutText(value, max));

/** The first `max` UTF-16 units, without half a surrogate pair at the end, which Postgres would not store. */
function cutText(value: string, max: number): string {
  if (value.length <= max) return value;
  const last = value.charCodeAt(max - 1);
  return value.slice(0, last >= 0xd800 && last < 0xdc00 ? max - 1 : max);
}

/** A line of a patch or of a compiler, in characters; longer ones are no help to a reader. */
const LINE_MAX = 1000;
/** A message of a build, which may quote several lines. */
const DETAIL_MAX = 4000;

/** Files that a bundle may name: about a dozen are usual; a suite may bring its data. */
export const BUNDLE_FILES_MAX = 1000;
/** Largest file of a bundle, in bytes: a debug kernel with all its modules is below 100 MB. */
export const BUNDLE_FILE_MAX_BYTES = 512 * 1024 * 1024;
/** All files of a bundle together, in bytes; an agent keeps dozens of bundles. */
export const BUNDLE_MAX_BYTES = 1024 * 1024 * 1024;
/** Largest manifest.json, in bytes: a dozen files and thousands of test names take a tenth of it. */
export const MANIFEST_MAX_BYTES = 1024 * 1024;
/** Modules of a bundle that take devices: a provider and a client are usual. */
const BINDS_MAX = 16;
/** Name of the manifest in a bundle. It names all files but itself. */
export const MANIFEST_FILE = 'manifest.json';

/** Longest path in a bundle, in characters: fits the name field of a tar archive with room for a folder. */
export const BUNDLE_PATH_MAX = 200;
/** Components of a path in a bundle. */
export const BUNDLE_PATH_DEPTH = 8;

/** Whether a name of a file may stand in a bundle: relative, below the bundle, of plain characters. */
export function isBundlePath(path: string): boolean {
  if (path.length > BUNDLE_PATH_MAX || !/^[a-zA-Z0-9]/.test(path)) return false;
  const components = path.split('/');
  if (components.length > BUNDLE_PATH_DEPTH) return false;
  return components.every(
    (component) => /^[a-zA-Z0-9._][a-zA-Z0-9._-]*$/.test(component) && !/^\.\.?$/.test(component),
  );
}

/** Whether a kernel's release can be the name of its folder below /lib/modules. */
export const isKernelRelease = (release: string): boolean => /^[a-zA-Z0-9_][a-zA-Z0-9._+-]{0,63}$/.test(release);

/** One suite inside a bundle; `command` is relative to the unpacked bundle. */
export const SuiteEntry = z.object({
  name: Name,
  kind: z.enum(['functional', 'performance']),
  command: z.array(z.string().min(1).max(1000)).min(1).max(64),
  timeoutSeconds: z.number().int().positive(),
  testTimeoutSeconds: z.number().int().positive().default(60),
  /** Test ids in the order they run, so that what a crash kept from running is known. As many as a plan may have. */
  tests: z.array(z.string().max(200)).max(5000).default([]),
});
export type SuiteEntry = z.infer<typeof SuiteEntry>;

/** Longest error of a target that did not build, in characters. */
export const UNBUILT_ERROR_MAX = 400;

/** Targets of the kernel's selftests that one bundle may carry. */
export const KSELFTESTS_MAX = 32;

/** What a kernel can do that others cannot, by name; bundles built before features were a set say it of one. */
const Features = z.union([
  z.array(z.string().min(1).max(64)).max(64),
  z.object({ dmaAlias: z.boolean() }).transform(({ dmaAlias }) => (dmaAlias ? ['dma_alias'] : [])),
]);

/**
 * manifest.json at the root of a kernel bundle: a tar of vmlinuz, modules.tar and suites/. The limits here are
 * those of a message; `whyBadBundle` has the rules that a bundle has to keep before its files are touched.
 */
export const BundleManifest = z.object({
  schema: z.literal(1),
  key: Sha256,
  release: z.string().min(1).max(64),
  /** NT_GNU_BUILD_ID of vmlinux in hex; /sys/kernel/notes shows the same at run time. */
  buildId: z.string().regex(/^[0-9a-f]{8,64}$/),
  base: z.object({ version: text(LINE_MAX), sha256: Sha256 }),
  series: z.array(z.object({ file: text(LINE_MAX), subject: text(LINE_MAX), sha256: Sha256 })).max(10_000),
  config: z.object({ name: Name, sha256: Sha256 }),
  toolchain: text(LINE_MAX),
  features: Features,
  modules: z.array(Name).max(256),
  /**
   * Which end of a pair a module takes: its parameter `devices` names the PCI functions. Absent from bundles whose modules
   * take what they find; those test the first pair of a machine and no other.
   */
  binds: z
    .record(Name, z.enum(['provider', 'client']))
    .refine((binds) => Object.keys(binds).length <= BINDS_MAX, { error: `at most ${BINDS_MAX} modules` })
    .optional(),
  /** By which rule the kernel lets DMA travel between two devices. Absent: that of Linux 7.3 is taken for it. */
  pathRule: PathRule.optional(),
  suites: z.array(SuiteEntry).min(1).max(256),
  /** Targets of tools/testing/selftests, each installed into an archive that `file` names. Bundles without any have none. */
  kselftests: z
    .array(z.object({ target: z.string().max(200), file: z.string().max(BUNDLE_PATH_MAX) }))
    .max(KSELFTESTS_MAX)
    .optional(),
  /** Targets that were asked for and did not build, with the first error. */
  unbuilt: z
    .array(z.object({ target: z.string().max(200), error: z.string().max(UNBUILT_ERROR_MAX) }))
    .max(KSELFTESTS_MAX)
    .optional(),
  files: z
    .record(z.string().max(1000), z.object({ sha256: Sha256, sizeBytes: z.number().int().nonnegative() }))
    .refine((files) => Object.keys(files).length <= BUNDLE_FILES_MAX, {
      error: `a bundle may name ${BUNDLE_FILES_MAX} files at most`,
    }),
});
export type BundleManifest = z.infer<typeof BundleManifest>;

/** Where a manifest breaks a rule, and which; for messages. */
export interface BundleProblem {
  path: string[];
  message: string;
}

/**
 * The first rule that a manifest breaks; null when its files may be unpacked and installed. Checked wherever a
 * bundle comes in: at the registration by hand, after a build, before it is unpacked.
 */
export function whyBadBundle({ release, files }: Pick<BundleManifest, 'release' | 'files'>): BundleProblem | null {
  if (!isKernelRelease(release)) return { path: ['release'], message: 'the release is no name of a folder' };
  const paths = new Set(Object.keys(files));
  let totalBytes = 0;
  for (const [path, { sizeBytes }] of Object.entries(files)) {
    const wrong = (message: string): BundleProblem => ({ path: ['files', path], message });
    if (!isBundlePath(path)) return wrong('it is no clean path inside the bundle');
    if (path === MANIFEST_FILE) return wrong('the manifest cannot name itself');
    for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1)) {
      if (paths.has(path.slice(0, end))) return wrong('one of its folders is a file of the bundle, too');
    }
    if (sizeBytes > BUNDLE_FILE_MAX_BYTES) return wrong(`a file may have ${BUNDLE_FILE_MAX_BYTES} bytes at most`);
    totalBytes += sizeBytes;
  }
  if (totalBytes > BUNDLE_MAX_BYTES) {
    return { path: ['files'], message: `all files together may have ${BUNDLE_MAX_BYTES} bytes at most` };
  }
  return null;
}

/** A manifest that comes in by hand: the shape, and the rules of `whyBadBundle`. */
export const NewBundleManifest = BundleManifest.superRefine((manifest, context) => {
  const problem = whyBadBundle(manifest);
  if (problem !== null) context.addIssue({ code: 'custom', path: problem.path, message: problem.message });
});

/** What the build script prints after `@error`. */
export const BuildError = z.discriminatedUnion('class', [
  z.object({
    class: z.literal('apply'),
    patch: text(LINE_MAX),
    file: text(LINE_MAX).nullish(),
    hunk: z.number().int().nullish(),
    line: z.number().int().nullish(),
    detail: text(DETAIL_MAX),
  }),
  z.object({
    class: z.literal('compile'),
    file: text(LINE_MAX).nullish(),
    line: z.number().int().nullish(),
    detail: text(DETAIL_MAX),
    /** The line of the build's log that says so, and where it is in that stream. */
    said: text(LINE_MAX).nullish(),
    logSeq: Sequence.nullish(),
  }),
  z.object({
    class: z.literal('infrastructure'),
    detail: text(DETAIL_MAX),
    remedy: text(LINE_MAX).nullish(),
  }),
]);
export type BuildError = z.infer<typeof BuildError>;

/** One sentence for people: names the patch, the file and the hunk. */
export function describeBuildError(error: BuildError): string {
  switch (error.class) {
    case 'apply': {
      const where = [
        error.file,
        error.hunk == null ? null : `hunk ${error.hunk}`,
        error.line == null ? null : `line ${error.line}`,
      ];
      return `patch "${error.patch}" does not apply: ${[...where.filter((w) => w != null), error.detail].join(', ')}`;
    }
    case 'compile': {
      const where = error.file == null ? '' : `${error.file}${error.line == null ? '' : `:${error.line}`}: `;
      return `the kernel does not build: ${where}${error.detail}`;
    }
    case 'infrastructure':
      return error.remedy == null ? error.detail : `${error.detail} (${error.remedy})`;
  }
}
