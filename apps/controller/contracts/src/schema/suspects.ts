import { z } from 'zod';
import { Name } from './ids.js';
import { Time } from './time.js';

/** Attempts that one failed check makes suspect, the newest first. */
export const SUSPECTS_MAX = 1000;

/** A result is suspect when its machine turned out sick later: it ran after the last check that the machine passed. */
export const Suspect = z.object({
  machine: Name,
  /** What the failed check found. */
  reason: z.string(),
  /** When the check failed. */
  at: Time,
  /** When the machine had passed a check last before the attempt; null = never. */
  goodAt: Time.nullable(),
  /** Run of the failed check; null when retention has removed it. */
  checkRun: z.uuid().nullable(),
  /** The run that does the job again; null = none does. */
  requeuedAs: z.uuid().nullable(),
});
export type Suspect = z.infer<typeof Suspect>;

/** A suspect attempt of a run. */
export const SuspectAttempt = Suspect.extend({ attemptId: z.uuid() });
export type SuspectAttempt = z.infer<typeof SuspectAttempt>;
