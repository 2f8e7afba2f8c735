import { MACHINE_CHANGES_MAX, type MachineDesired, type MachineEvent } from '@peerlab/contracts';
import { columnsOf, pick } from '../platform/database/row-shape.js';
import { storable } from '../platform/database/storable.js';
import type { Queries } from '../platform/database/sql.js';
import { MachineChangeRow } from '../schema/fleet.js';

/** A change of what is wanted of a machine; `by` null = the farm itself. */
interface Change {
  desired: MachineDesired;
  by: string | null;
  reason: string;
}

/**
 * Changes the desired state of a machine and notes who did it and why; the oldest notes are forgotten. The update
 * locks the machine's row, so that numbers are drawn by one at a time. @returns false for a machine that is not known
 * @param mustProve a machine that comes back from quarantine has to pass a health check before it serves
 */
export async function changeDesired(
  tx: Queries,
  machine: string,
  { desired, by, reason }: Change,
  mustProve = false,
): Promise<boolean> {
  const touched = await tx.run(
    `update machine set desired = $2, desired_by = $3, desired_reason = $4, desired_at = clock_timestamp(),
       unproven = case when $5 and returns then 'it was quarantined: ' || coalesce(desired_reason, 'no reason given') else unproven end,
       unproven_at = case when $5 and returns then clock_timestamp() else unproven_at end
     from (select name as known, desired = 'quarantined' and $2 = 'active' as returns from machine where name = $1) before
     where name = before.known`,
    [machine, desired, by, storable(reason), mustProve],
  );
  if (touched === 0) return false;
  await noteChange(tx, machine, { event: null, by, reason });
  return true;
}

/**
 * Notes what happened to a machine, beside the state that is wanted of it at that moment; the oldest notes are forgotten.
 * The transaction holds the lock of the machine's row.
 */
export async function noteChange(
  tx: Queries,
  machine: string,
  { event, by, reason }: { event: MachineEvent | null; by: string | null; reason: string },
): Promise<void> {
  const last = await tx.one(
    pick(columnsOf(MachineChangeRow), 'number'),
    'select number from machine_change where machine = $1 order by number desc limit 1',
    [machine],
  );
  const number = (last?.number ?? 0) + 1;
  await tx.run(
    `insert into machine_change (machine, desired, event, by, reason, number)
     select name, desired, $2, $3, $4, $5 from machine where name = $1`,
    [machine, event, by, storable(reason), number],
  );
  await tx.run('delete from machine_change where machine = $1 and number <= $2', [
    machine,
    number - MACHINE_CHANGES_MAX,
  ]);
}
