import type { Queries } from './sql.js';

/**
 * Every advisory lock of the controllers, by what it protects. A number stands here once, so that no two duties
 * ever share a lock; the test beside this file refuses any other one. All controllers of a farm agree on them.
 *
 * Rows are locked in one order everywhere: attempt, stream, lease, job, build, machine, agent, run. An advisory
 * lock is taken before any row, and a transaction takes one of them at most.
 */
export const ADVISORY_LOCKS = {
  /** One controller at a time migrates the schema. */
  migration: 747_047,
  /** Controllers that start together look one after the other whether any other one is alive. */
  presence: 747_048,
  /** One delivery of a hook at a time decides whether it was seen before; the second number is the hook's. */
  delivery: 747_049,
  /** One controller at a time removes evidence, and none while a backup is taken. */
  retention: 747_050,
  /** One transaction at a time adds combinations of an agent; the second number is the agent's. */
  combinations: 747_051,
} as const;

export type AdvisoryLock = keyof typeof ADVISORY_LOCKS;

/** Waits for a lock and holds it until the transaction ends. @param name what of this kind, such as a hook's name */
export async function lockForTransaction(tx: Queries, lock: AdvisoryLock, name = ''): Promise<void> {
  await tx.run('select pg_advisory_xact_lock($1, hashtext($2))', [ADVISORY_LOCKS[lock], name]);
}
