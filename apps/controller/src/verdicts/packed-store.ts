import { jsonb } from '../platform/database/storable.js';
import { columnsOf, integer, pick } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { AttemptVerdicts } from '../schema/results.js';
import type { PackedRow } from './packed-verdicts.js';

/**
 * Drops what is packed of an attempt and asks for it to be packed. To be called with every change of the results
 * of an ended attempt and at its end, in the transaction that holds the lock of the attempt.
 */
export async function requestPacking(tx: Queries, attemptId: string): Promise<void> {
  await tx.run('delete from attempt_verdicts where attempt_id = $1', [attemptId]);
  await tx.run('insert into unpacked_attempt (attempt_id) values ($1) on conflict do nothing', [attemptId]);
}

/** Removes what is packed of attempts, and the lists of tests that no packed attempt has any more. */
export async function removePacked(tx: Queries, attemptIds: readonly string[]): Promise<void> {
  await tx.run('delete from unpacked_attempt where attempt_id = any($1)', [attemptIds]);
  const rows = await tx.rows(
    pick(columnsOf(AttemptVerdicts), 'plan'),
    'select distinct plan from attempt_verdicts where attempt_id = any($1)',
    [attemptIds],
  );
  const plans = rows.map(({ plan }) => plan);
  await tx.run('delete from attempt_verdicts where attempt_id = any($1)', [attemptIds]);
  // Locked first, so that the next statement sees what another transaction that packs just now has stored.
  await tx.rows({ one: integer }, 'select 1 as one from test_plan where hash = any($1) order by hash for update', [
    plans,
  ]);
  await tx.run(
    `delete from test_plan p where hash = any($1) and not exists (select 1 from attempt_verdicts v where v.plan = p.hash)`,
    [plans],
  );
}

/**
 * Stores packed rows of attempts, those that are stored already stay, and takes the attempts from the queue. The
 * caller holds the locks of the attempts.
 */
export async function storePacked(
  tx: Queries,
  attemptIds: readonly string[],
  rows: readonly PackedRow[],
): Promise<void> {
  const plans = new Map(
    rows.map(({ plan, suite, tests, positions }) => [plan, { hash: plan, suite, tests, positions }]),
  );
  // The update locks a plan that exists, so that no other transaction removes it before it is used.
  await tx.run(
    `insert into test_plan (hash, suite, tests, positions)
     select hash, suite, tests, positions
     from jsonb_to_recordset($1) as p(hash text, suite text, tests text[], positions int[])
     on conflict (hash) do update set suite = excluded.suite`,
    [jsonb([...plans.values()].toSorted((a, b) => (a.hash < b.hash ? -1 : 1)))],
  );
  await tx.run(
    `insert into attempt_verdicts (attempt_id, suite, plan, verdicts, reasons, newest)
     select attempt_id, suite, plan, verdicts, reasons, newest from jsonb_to_recordset($1) as v(attempt_id uuid,
       suite text, plan text, verdicts text, reasons jsonb, newest timestamptz) on conflict do nothing`,
    [
      jsonb(
        rows.map(({ attemptId, suite, plan, verdicts, reasons, newest }) => ({
          attempt_id: attemptId,
          suite,
          plan,
          verdicts,
          reasons,
          newest: newest.toISOString(),
        })),
      ),
    ],
  );
  await tx.run('delete from unpacked_attempt where attempt_id = any($1)', [attemptIds]);
}
