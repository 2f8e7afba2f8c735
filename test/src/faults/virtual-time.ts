/**
 * Time that runs faster than the wall clock, the same for every process of a farm and for its
 * database: leases of 30 seconds run out after five, and no constant is changed.
 */
export interface VirtualClock {
  /** Moment at which both clocks agree, epoch milliseconds. */
  epochMs: number;
  /** Virtual seconds in a real one. */
  rate: number;
}

/** Epoch milliseconds of the virtual clock. */
export function virtualNow(clock: VirtualClock, realMs: number = Date.now()): number {
  return clock.epochMs + (realMs - clock.epochMs) * clock.rate;
}

/** What the preload of a process is told, as JSON in PEERLAB_FAULT_CLOCK. */
export interface ProcessClock extends VirtualClock {
  /** The process's own clocks run this much faster than the farm's; 1 = exact. */
  drift: number;
}

/** Faults inside a running process, read from a file that it polls. */
export interface Affliction {
  /** Added to the wall clock, in virtual milliseconds. The monotonic clock stays. */
  wallOffsetMs: number;
  /** Files cannot grow any more. */
  diskFull: boolean;
}

export const CLOCK_VARIABLE = 'PEERLAB_FAULT_CLOCK';
/** Folder of the agent's built program, whose waits the preload shortens. */
export const AGENT_DIST_VARIABLE = 'PEERLAB_FAULT_AGENT_DIST';
/** What is broken in the agent on purpose, to see that the oracle notices. */
export const MUTANT_VARIABLE = 'PEERLAB_FAULT_MUTANT';
export type Mutant = 'lease-never-runs-out';
export const AFFLICTION_VARIABLE = 'PEERLAB_FAULT_AFFLICTION';

/**
 * Statements that let an unqualified clock_timestamp() and now() of a database tell virtual time.
 * Tables made afterwards take it for their defaults, too.
 */
export function databaseClock(database: string, { epochMs, rate }: VirtualClock): string[] {
  const epoch = (epochMs / 1000).toFixed(3);
  const virtual = (real: string): string =>
    `select to_timestamp((${epoch} + (extract(epoch from pg_catalog.${real}()) - ${epoch}) * ${rate})::double precision)`;
  return [
    `alter database ${database} set search_path = public, pg_catalog`,
    `create or replace function public.clock_timestamp() returns timestamptz language sql volatile as $$ ${virtual('clock_timestamp')} $$`,
    `create or replace function public.now() returns timestamptz language sql stable as $$ ${virtual('now')} $$`,
  ];
}
