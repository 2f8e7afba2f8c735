import { z } from 'zod';
import { FailureClass } from './failure.js';
import { Name } from './ids.js';
import { Role } from './participants.js';
import { AttemptState } from './states.js';
import { Verdict } from './verdict.js';

/** An attempt as the page of its machine lists it. */
export const MachineAttempt = z.object({
  id: z.uuid(),
  number: z.number().int().positive(),
  /** What the machine did in it. */
  role: Role,
  /** Of the machine's part in it. */
  state: AttemptState,
  run: z.object({ id: z.uuid(), name: z.string() }),
  build: Name,
  /** Of its job, once that ended. */
  verdict: Verdict.nullable(),
  /** Whether the machine turned out sick after it ran. */
  isSuspect: z.boolean().default(false),
  failure: FailureClass.nullable(),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
  /** Lines of its serial stream that are stored. */
  serialLines: z.number().int().nonnegative(),
});
export type MachineAttempt = z.infer<typeof MachineAttempt>;

/** Most attempts in one answer, newest first. */
export const MACHINE_ATTEMPTS_MAX = 25;
