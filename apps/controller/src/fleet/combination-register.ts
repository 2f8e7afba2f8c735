import { lockForTransaction } from '../platform/database/locks.js';
import { integer, text } from '../platform/database/row-shape.js';
import { jsonb } from '../platform/database/storable.js';
import type { Queries } from '../platform/database/sql.js';
import type { CombinationIdentity } from '@peerlab/contracts';

/**
 * New combinations that the inventories of one agent may bring within 24 hours. They are kept for ever, as columns
 * of the grid; a lab of hundreds of different machines that connects for the first time has fewer.
 */
export const COMBINATIONS_PER_DAY = 500;

export interface FoundCombination {
  hash: string;
  label: string;
  identity: CombinationIdentity;
}

/** Why an inventory is not stored, in words. */
export class InventoryRefused extends Error {}

const byHash = (a: FoundCombination, b: FoundCombination): number => (a.hash < b.hash ? -1 : 1);

/** Stores the combinations of jobs with several roles that are not known yet: they come from runs and not from an agent. */
export async function recordRoleCombinations(tx: Queries, found: readonly FoundCombination[]): Promise<void> {
  const rows = [...new Map(found.map((each) => [each.hash, each])).values()].toSorted(byHash);
  await tx.run(
    `insert into combination (hash, label, identity)
     select c.hash, c.label, c.identity from jsonb_to_recordset($1) as c(hash text, label text, identity jsonb)
     on conflict do nothing`,
    [jsonb(rows)],
  );
}

/**
 * Stores the combinations that are not known yet, and the label of those whose label is another one in this version. Throws
 * InventoryRefused when the agent has brought too many.
 */
export async function recordCombinations(
  tx: Queries,
  agent: string,
  found: readonly FoundCombination[],
): Promise<void> {
  const distinct = [...new Map(found.map((combination) => [combination.hash, combination])).values()];
  const known = await tx.rows({ hash: text, label: text }, 'select hash, label from combination where hash = any($1)', [
    distinct.map(({ hash }) => hash),
  ]);
  const labels = new Map(known.map(({ hash, label }) => [hash, label]));
  const renamed = distinct.filter(({ hash, label }) => (labels.get(hash) ?? label) !== label).toSorted(byHash);
  // One after the other in one order everywhere, as below; it happens once after an update of the controller.
  for (const { hash, label } of renamed) {
    await tx.run('update combination set label = $2 where hash = $1', [hash, label]);
  }
  const fresh = distinct.filter(({ hash }) => !labels.has(hash));
  if (fresh.length === 0) return;
  // Of two inventories of one agent each counts what the other one brought.
  await lockForTransaction(tx, 'combinations', agent);
  const before = await tx.one(
    { count: integer },
    `select count(*) as count from combination
     where found_by = $1 and found_at > clock_timestamp() - interval '24 hours'`,
    [agent],
  );
  const count = (before?.count ?? 0) + fresh.length;
  if (count > COMBINATIONS_PER_DAY) {
    throw new InventoryRefused(
      `agent ${agent} would have reported ${count} new combinations of hardware within 24 hours, ` +
        `and at most ${COMBINATIONS_PER_DAY} are taken: its inventories change again and again`,
    );
  }
  // In one order everywhere, so that two agents reporting alike hardware do not deadlock.
  const rows = fresh.toSorted(byHash);
  await tx.run(
    `insert into combination (hash, label, identity, found_by)
     select c.hash, c.label, c.identity, $1 from jsonb_to_recordset($2) as c(hash text, label text, identity jsonb)
     on conflict do nothing`,
    [agent, jsonb(rows)],
  );
}
