import type { Inventory } from '@peerlab/contracts';
import { output } from '../machine/command.js';
import type { Session } from '../machine/protocols.js';
import { withDetails } from './details.js';
import { parseInventory } from './parse.js';
import { namedByThisMachine } from './pci-ids.js';
import { INVENTORY_COMMAND, INVENTORY_MAX_BYTES } from './script.js';
import type { UnitNames } from './units.js';

/** A second on an idle computer; an emulated machine that shares two cores with ten others has needed more than one minute. */
const READ_MS = 240_000;

/** Reads a machine's inventory over an open connection. @param names null = without what tells specimens of a model apart */
export async function readInventory(
  session: Session,
  names: UnitNames | null,
  signal?: AbortSignal,
): Promise<Inventory> {
  const options = { timeoutMs: READ_MS, maxBytes: INVENTORY_MAX_BYTES, ...(signal === undefined ? {} : { signal }) };
  const inventory = parseInventory(await output(session, INVENTORY_COMMAND, options));
  return namedByThisMachine(await withDetails(inventory, session, names, signal));
}
