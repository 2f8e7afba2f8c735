/** What a lock of a transaction needs of it; `Queries` has it (no import: statements are checked against this file). */
interface Transaction {
  run: (text: string, values?: unknown[]) => Promise<unknown>;
}

/**
 * Every advisory lock of the controllers, by what it protects. Each number stands here once and no other file
 * calls a lock function (locks.test.ts), so that no two duties ever share a lock. All controllers of a farm agree
 * on them.
 */
export const ADVISORY_LOCKS = {
  /** One controller at a time migrates the schema. */
  migration: 747_047,
  /** Controllers that start together check one after the other whether any controller is alive. */
  presence: 747_048,
  /** One delivery of a hook at a time checks whether it was seen before; the name is the hook's. */
  delivery: 747_049,
  /** One controller at a time removes evidence, and none while a backup is taken. */
  retention: 747_050,
  /** One transaction at a time adds combinations of an agent; the name is the agent's. */
  combinations: 747_051,
} as const;

export type AdvisoryLock = keyof typeof ADVISORY_LOCKS;

/**
 * The order in which a transaction that holds several locks takes them: tables, and advisory locks by their name
 * with the prefix `advisory:`. Two transactions that follow it cannot deadlock. Rows of one table are locked in the
 * order of their primary key. In tests every statement of a transaction is checked against it (lock-order.ts).
 */
export const LOCK_ORDER: readonly string[] = [
  'advisory:presence',
  'controller',
  'artifact_folder',
  'advisory:delivery',
  'agent',
  'attempt',
  'job',
  'machine',
  'combination',
  'advisory:combinations',
  'build',
  'artifact',
  'bundle',
  'run',
  'test_plan',
  'webhook_delivery',
  'forge_report',
  'known_failure',
  'baseline',
  'health_check',
  'suspect_attempt',
  'terminal',
];

/**
 * Tables whose rows belong to a row of another table. A transaction locks them only while it holds that row, so they
 * have no place in the order. The exceptions are single statements, which hold no other lock: renewing leases is one.
 */
export const LOCKED_UNDER: Readonly<Record<string, string>> = {
  attempt_file: 'attempt',
  attempt_kernel: 'attempt',
  attempt_stage: 'attempt',
  attempt_verdicts: 'attempt',
  crash: 'attempt',
  crash_search: 'attempt',
  call_source: 'attempt',
  hardware_alarm: 'attempt',
  baseline_failure: 'baseline',
  lease: 'attempt',
  log_line: 'attempt',
  measurement: 'attempt',
  meeting: 'attempt',
  participant: 'attempt',
  planned_test: 'attempt',
  result: 'attempt',
  stream: 'attempt',
  unpacked_attempt: 'attempt',
  job_role: 'job',
  machine_change: 'machine',
  machine_inventory: 'machine',
  machine_path: 'machine',
  reservation: 'machine',
  run_pin: 'run',
  terminal_output: 'terminal',
};

/** Waits for a lock and holds it until the transaction ends. @param name what of this kind, such as a hook's name */
export async function lockForTransaction(tx: Transaction, lock: AdvisoryLock, name = ''): Promise<void> {
  await tx.run('select pg_advisory_xact_lock($1, hashtext($2))', [ADVISORY_LOCKS[lock], name]);
}

/** A connection of its own: a session's lock belongs to the connection that took it. */
interface Session {
  query: (text: string, values: unknown[]) => Promise<unknown>;
}

/** Waits for a lock and holds it until the connection closes or `unlockSession` is called. */
export async function lockSession(session: Session, lock: AdvisoryLock): Promise<void> {
  await session.query('select pg_advisory_lock($1)', [ADVISORY_LOCKS[lock]]);
}

/** As lockSession, but does not wait. @returns false when another connection holds the lock */
export async function tryLockSession(
  session: { query: (text: string, values: unknown[]) => Promise<{ rows: unknown[] }> },
  lock: AdvisoryLock,
): Promise<boolean> {
  const { rows } = await session.query('select 1 where pg_try_advisory_lock($1)', [ADVISORY_LOCKS[lock]]);
  return rows.length > 0;
}

/** Releases a lock that this connection took with lockSession or tryLockSession. */
export async function unlockSession(session: Session, lock: AdvisoryLock): Promise<void> {
  await session.query('select pg_advisory_unlock($1)', [ADVISORY_LOCKS[lock]]);
}
