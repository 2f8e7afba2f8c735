import { inventoryDrift, tellsMore, type Inventory } from '@peerlab/contracts';
import { columnsOf, pick } from '../platform/database/row-shape.js';
import { jsonb } from '../platform/database/storable.js';
import type { Queries } from '../platform/database/sql.js';
import { MachineInventory } from '../schema/fleet.js';

/** How many different inventories are kept of a machine. */
export const INVENTORIES_KEPT = 50;

/**
 * Notes an inventory if it differs from the newest one of the machine in anything that people are told, and
 * forgets the oldest. One that only tells more takes the place of the newest one. The caller holds the machine's row, so that numbers are drawn by one at a time.
 */
export async function rememberInventory(tx: Queries, machine: string, inventory: Inventory): Promise<void> {
  const last = await tx.one(
    pick(columnsOf(MachineInventory), 'number', 'inventory'),
    'select number, inventory from machine_inventory where machine = $1 order by number desc limit 1',
    [machine],
  );
  if (last !== null && inventoryDrift(last.inventory, inventory).length === 0) {
    if (!tellsMore(last.inventory, inventory)) return;
    await tx.run('update machine_inventory set inventory = $3 where machine = $1 and number = $2', [
      machine,
      last.number,
      jsonb(inventory),
    ]);
    return;
  }
  const number = (last?.number ?? 0) + 1;
  await tx.run('insert into machine_inventory (machine, number, inventory) values ($1, $2, $3)', [
    machine,
    number,
    jsonb(inventory),
  ]);
  await tx.run('delete from machine_inventory where machine = $1 and number <= $2', [
    machine,
    number - INVENTORIES_KEPT,
  ]);
}
