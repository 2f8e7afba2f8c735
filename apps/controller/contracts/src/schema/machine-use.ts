import { z } from 'zod';
import { Name } from './ids.js';
import { MachineDesired } from './states.js';
import { Time } from './time.js';

/** Why people change what they want of a machine: shown to everyone, so it is never empty. */
export const MachineReason = z.string().trim().min(1).max(500);
export type MachineReason = z.infer<typeof MachineReason>;

/** What else than its wanted state people change of a machine. */
export const MachineEvent = z.enum(['reserved', 'extended', 'returned']);
export type MachineEvent = z.infer<typeof MachineEvent>;

/** One change of what is wanted of a machine, or of who has it. */
export const MachineChange = z.object({
  /** The wanted state, from then on. */
  desired: MachineDesired,
  /** What happened; null = the wanted state was set. */
  event: MachineEvent.nullable().default(null),
  at: Time,
  /** Name of the token that asked for it; null = the farm itself. */
  by: z.string().nullable(),
  /** Null only for changes from before a reason was required. */
  reason: z.string().nullable(),
});
export type MachineChange = z.infer<typeof MachineChange>;

/** Changes that are kept of a machine; the oldest are forgotten. */
export const MACHINE_CHANGES_MAX = 100;

/** Days over which the use of a machine is counted. */
export const USE_DAYS = 7;

/** How much a machine has to do. */
export const MachineUse = z.object({
  machine: Name,
  /** Test jobs that wait for it and could start as soon as it is free. */
  queued: z.number().int().nonnegative(),
  /** Share of each of the last USE_DAYS × 24 hours in which it was leased, 0 to 1, oldest first. */
  days: z.array(z.number().min(0).max(1)).length(USE_DAYS),
});
export type MachineUse = z.infer<typeof MachineUse>;

/** Jobs of a queue in one answer; `queued` of MachineUse counts all. */
export const MACHINE_QUEUE_MAX = 25;

/** A test job that waits for a machine. */
export const WaitingJob = z.object({
  jobId: z.uuid(),
  run: z.object({ id: z.uuid(), name: z.string() }),
  build: Name,
  priority: z.number().int(),
  queuedAt: Time,
});
export type WaitingJob = z.infer<typeof WaitingJob>;
