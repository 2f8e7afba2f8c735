import { z } from 'zod';
import { Name } from './ids.js';
import { REPEAT_MAX } from './run-spec.js';
import { Time } from './time.js';

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

/** Why a check was made: the machine may not serve before it passes one, it was time for one, or a person asked. */
export const HealthCheckKind = z.enum(['required', 'schedule', 'asked']);
export type HealthCheckKind = z.infer<typeof HealthCheckKind>;

/**
 * How a check ended. `failed`: the known-good kernel failed, so the machine is sick. `inconclusive`: the lab failed, which is
 * neither. `refused`: it cannot be planned, for instance because no builder is there.
 */
export const HealthOutcome = z.enum(['passed', 'failed', 'inconclusive', 'refused', 'canceled']);
export type HealthOutcome = z.infer<typeof HealthOutcome>;

export const HealthCheck = z.object({
  /** Of its machine, from 1. */
  number: z.number().int().positive(),
  kind: HealthCheckKind,
  reason: z.string(),
  /** Name of the token that asked for it; null = the farm itself. */
  by: z.string().nullable(),
  boots: z.number().int().positive(),
  /** Null when it could not be planned, and when retention has removed its run. */
  runId: z.uuid().nullable(),
  at: Time,
  endedAt: Time.nullable(),
  /** Null while it runs. */
  outcome: HealthOutcome.nullable(),
  /** What was found; null while it runs, and when it passed. */
  detail: z.string().nullable(),
});
export type HealthCheck = z.infer<typeof HealthCheck>;

/** Checks in one answer, the newest first. */
export const HEALTH_CHECKS_SHOWN = 25;
/** Attempts that one failed check makes suspect, the newest first. */
export const SUSPECTS_MAX = 1000;

export const MachineHealth = z.object({
  /** Whether the farm checks machines by itself. */
  enabled: z.boolean(),
  /** Why it takes nothing but its health check, until that passes; null = it serves. */
  unproven: z.string().nullable(),
  /** When it passed last; null = never. */
  goodAt: Time.nullable(),
  /** When it is checked next by the schedule; null = that is not planned. */
  nextAt: Time.nullable(),
  checks: z.array(HealthCheck).max(HEALTH_CHECKS_SHOWN),
  /** Attempts on it whose results are suspect. */
  suspects: z.number().int().nonnegative(),
});
export type MachineHealth = z.infer<typeof MachineHealth>;

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
