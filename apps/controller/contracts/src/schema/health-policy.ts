import { z } from 'zod';
import { Name } from './ids.js';
import { REPEAT_MAX } from './run-spec.js';

/** When machines are checked, and what follows. A setting of the controllers; all of a farm need the same. */
export const HealthPolicy = z.strictObject({
  /** false: machines are checked only when a person asks. */
  enabled: z.boolean().default(false),
  /** The run template whose kernel and suites are known to be good; its machines and repeats are replaced. */
  template: Name.default('health'),
  /** Boots in a row that a machine has to pass before it serves: at first, and when it comes back after trouble. */
  boots: z.number().int().min(1).max(REPEAT_MAX).default(3),
  /** A machine that passed is checked again after this time; 0 = never. */
  everyHours: z
    .number()
    .min(0)
    .max(24 * 365)
    .default(168),
  /** Attempts in a row that ended as the lab's trouble on a machine before it is checked; 0 = they ask for no check. */
  troubleAfter: z.number().int().min(0).max(100).default(3),
  /** Tests of a machine that turned out sick are submitted again, on other machines. */
  requeueSuspects: z.boolean().default(false),
  /** At most so many of them for one failed check, the newest first. */
  requeueMax: z.number().int().min(0).max(500).default(20),
});
export type HealthPolicy = z.infer<typeof HealthPolicy>;
