import { availableParallelism, totalmem } from 'node:os';
import { z } from 'zod';
import type { SandboxLimits } from '../sandbox/sandbox.js';

const GIB = 1024 ** 3;

/** A compiler takes up to a GiB with the sanitizers on, and linking a debug kernel two. */
const defaultMemoryMiB = (): number =>
  Math.floor(Math.min(2 * GIB + availableParallelism() * GIB, 0.75 * totalmem()) / 1024 ** 2);

/** What one build may use; from the agent's config. */
export const BuildLimits = z.strictObject({
  /** Resident memory of all its processes together. */
  memoryMiB: z.number().int().min(1024, 'a kernel does not build with less than 1024').default(defaultMemoryMiB),
  /** What it writes to disk: a debug kernel takes 3 GiB. */
  diskMiB: z
    .number()
    .int()
    .min(1024, 'a kernel does not build with less than 1024')
    .default(12 * 1024),
  /** Processes and threads at the same time; make starts a handful for each core. */
  processes: z.number().int().min(64).max(100_000).default(2048),
  /** Processor time of one process; linking a debug kernel takes a minute. */
  processSeconds: z.number().int().min(60).default(3600),
});
export type BuildLimits = z.infer<typeof BuildLimits>;

/** A source tree has 90 000 files, a build adds some thousand. */
const FILES = 1_000_000;
/** vmlinux.o of a debug kernel has 400 MiB. */
const FILE_BYTES = 2 * GIB;

export const sandboxLimits = (limits: BuildLimits): SandboxLimits => ({
  memoryBytes: limits.memoryMiB * 1024 ** 2,
  processes: limits.processes,
  diskBytes: limits.diskMiB * 1024 ** 2,
  files: FILES,
  cpuSeconds: limits.processSeconds,
  fileBytes: FILE_BYTES,
});
