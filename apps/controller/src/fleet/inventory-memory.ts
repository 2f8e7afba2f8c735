import type { Inventory } from '@peerlab/contracts';
import { jsonb } from '../platform/database/storable.js';
import type { Queries } from '../platform/database/sql.js';

/** So many different inventories are kept of a machine. */
export const INVENTORIES_KEPT = 50;

/**
 * Notes an inventory if it differs from the newest one of the machine, and forgets the oldest. The caller
 * holds the machine's row, so that numbers are drawn by one at a time.
 */
export async function rememberInventory(tx: Queries, machine: string, inventory: Inventory): Promise<void> {
  await tx.run(
    `insert into machine_inventory (machine, number, inventory)
     select $1, coalesce(max(number), 0) + 1, $2::jsonb from machine_inventory where machine = $1
     having (select inventory from machine_inventory where machine = $1 order by number desc limit 1)
       is distinct from $2::jsonb`,
    [machine, jsonb(inventory)],
  );
  await tx.run(
    `delete from machine_inventory where machine = $1
       and number <= (select max(number) from machine_inventory where machine = $1) - $2::int`,
    [machine, INVENTORIES_KEPT],
  );
}
