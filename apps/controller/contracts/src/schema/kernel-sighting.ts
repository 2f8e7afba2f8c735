import { z } from 'zod';
import { COMMAND_LINE_MAX } from './inventory.js';

/** Longest text for people, and longest value that a machine gave, in characters. */
const TEXT_MAX = 20_000;
const ID_MAX = 1000;

const Text = z.string().max(TEXT_MAX);
const Id = z.string().max(ID_MAX);

/** Which kernel a machine was seen running, by what the machine itself cannot mix up. */
export const KernelSighting = z.object({
  phase: z.enum(['default-before', 'candidate', 'default-after']),
  release: Id,
  buildId: Id,
  bootId: Id,
  nonce: Id.nullable(),
  /** All that was expected (build-id, nonce, changed boot_id) holds. */
  proven: z.boolean(),
  detail: Text.nullable(),
  /** /proc/cmdline; null in reports from before it was recorded. */
  commandLine: z.string().max(COMMAND_LINE_MAX).nullable().default(null),
});
export type KernelSighting = z.infer<typeof KernelSighting>;
