import { z } from 'zod';

/** Steps of a test attempt, in order; restore runs whatever happened before. */
export const STAGES = ['prepare', 'flash', 'boot', 'verify', 'test', 'collect', 'restore'] as const;
export const Stage = z.enum(STAGES);
export type Stage = z.infer<typeof Stage>;

/** Steps of a build attempt. */
export const BUILD_STAGES = ['fetch', 'build', 'upload'] as const;
export const AnyStage = z.enum([...STAGES, ...BUILD_STAGES]);
export type AnyStage = z.infer<typeof AnyStage>;

export const StageStatus = z.enum(['started', 'passed', 'failed', 'skipped']);

/**
 * run:      queued → running → ended
 * job:      blocked → queued → running → ended, and running → queued when an attempt is retried
 * attempt:  assigned → running → ended, and running → assigned when the agent comes back without it
 *           before anything of it was stored
 * Canceling moves any state but `ended` to `ended` once the machines are restored.
 */
export const RunState = z.enum(['queued', 'running', 'ended']);
export type RunState = z.infer<typeof RunState>;
export const JobState = z.enum(['blocked', 'queued', 'running', 'ended']);
export type JobState = z.infer<typeof JobState>;
export const AttemptState = z.enum(['assigned', 'running', 'ended']);
export type AttemptState = z.infer<typeof AttemptState>;

const TRANSITIONS = {
  run: { queued: ['running', 'ended'], running: ['ended'], ended: [] },
  job: { blocked: ['queued', 'ended'], queued: ['running', 'ended'], running: ['queued', 'ended'], ended: [] },
  attempt: { assigned: ['running', 'ended'], running: ['assigned', 'ended'], ended: [] },
} as const satisfies {
  run: Record<RunState, readonly RunState[]>;
  job: Record<JobState, readonly JobState[]>;
  attempt: Record<AttemptState, readonly AttemptState[]>;
};

export type Entity = keyof typeof TRANSITIONS;
type StateOf = { run: RunState; job: JobState; attempt: AttemptState };

/** Whether the step is drawn in the state machine above; staying in a state is always allowed. */
export function mayMove<E extends Entity>(entity: E, from: StateOf[E], to: StateOf[E]): boolean {
  if (from === to) return true;
  const table: Record<string, readonly string[]> = TRANSITIONS[entity];
  return table[from]?.includes(to) ?? false;
}

/**
 * What people want of a machine; the agent's view is `MachineObserved`. Only an active one is given work.
 * `drained` = nothing new for now; `maintenance` = a person works on it; `quarantined` = it is not to be
 * trusted (people say so, or the farm itself when it was not restored). All but `active` keep what runs.
 */
export const MachineDesired = z.enum(['active', 'drained', 'maintenance', 'quarantined']);
export type MachineDesired = z.infer<typeof MachineDesired>;

/** To be put behind "the machine is". */
export function desiredInWords(desired: MachineDesired): string {
  return desired === 'maintenance' ? 'in maintenance' : desired;
}

/** `busy` = an attempt is on it; `offline` = its agent is gone or it does not answer. */
export const MachineObserved = z.enum(['unknown', 'online', 'busy', 'offline']);
export type MachineObserved = z.infer<typeof MachineObserved>;
