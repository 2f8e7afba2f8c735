import { z } from 'zod';
import { Name, Sha256 } from './ids.js';

/** One suite inside a bundle; `command` is relative to the unpacked bundle. */
export const SuiteEntry = z.object({
  name: Name,
  kind: z.enum(['functional', 'performance']),
  command: z.array(z.string().min(1)).min(1),
  timeoutSeconds: z.number().int().positive(),
  testTimeoutSeconds: z.number().int().positive().default(60),
  /** Test ids in the order they run, so that what a crash kept from running is known. */
  tests: z.array(z.string()).default([]),
});
export type SuiteEntry = z.infer<typeof SuiteEntry>;

/** manifest.json at the root of a kernel bundle: a tar of vmlinuz, modules.tar and suites/. */
export const BundleManifest = z.object({
  schema: z.literal(1),
  key: Sha256,
  release: z.string().min(1).max(64),
  /** NT_GNU_BUILD_ID of vmlinux in hex; /sys/kernel/notes shows the same at run time. */
  buildId: z.string().regex(/^[0-9a-f]{8,64}$/),
  base: z.object({ version: z.string(), sha256: Sha256 }),
  series: z.array(z.object({ file: z.string(), subject: z.string(), sha256: Sha256 })),
  config: z.object({ name: Name, sha256: Sha256 }),
  toolchain: z.string(),
  features: z.object({ dmaAlias: z.boolean() }),
  modules: z.array(Name),
  suites: z.array(SuiteEntry).min(1),
  files: z.record(z.string(), z.object({ sha256: Sha256, sizeBytes: z.number().int().nonnegative() })),
});
export type BundleManifest = z.infer<typeof BundleManifest>;

/** What the build script prints after `@error`. */
export const BuildError = z.discriminatedUnion('class', [
  z.object({
    class: z.literal('apply'),
    patch: z.string(),
    file: z.string().nullish(),
    hunk: z.number().int().nullish(),
    line: z.number().int().nullish(),
    detail: z.string(),
  }),
  z.object({
    class: z.literal('compile'),
    file: z.string().nullish(),
    line: z.number().int().nullish(),
    detail: z.string(),
  }),
  z.object({ class: z.literal('infrastructure'), detail: z.string(), remedy: z.string().nullish() }),
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
