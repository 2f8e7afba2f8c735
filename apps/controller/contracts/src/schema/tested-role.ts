import { z } from 'zod';
import { Name } from './ids.js';
import { Role } from './participants.js';
import { DevicePair } from './paths.js';

/** What a role of a job with several boots, and where. */
export const TestedRole = z.object({
  role: Role,
  /** Null until it runs, unless only one machine will do. */
  machine: Name.nullable(),
  pair: DevicePair.nullable(),
  build: z.object({ id: z.uuid(), name: Name }),
  /** Of its kernel; null while that is not built. */
  release: z.string().nullable(),
});
export type TestedRole = z.infer<typeof TestedRole>;
