import { z } from 'zod';
import { Time } from './time.js';

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
