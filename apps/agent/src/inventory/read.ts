import type { Inventory } from '@peerlab/contracts';
import { output } from '../machine/command.js';
import type { Session } from '../machine/protocols.js';
import { parseInventory } from './parse.js';
import { namedByThisMachine } from './pci-ids.js';
import { INVENTORY_COMMAND, INVENTORY_MAX_BYTES } from './script.js';

/** A second on an idle computer; an emulated machine that shares two cores with ten others has needed more than one minute. */
const READ_MS = 240_000;

/** Reads a machine's inventory over an open connection. */
export async function readInventory(session: Session, signal?: AbortSignal): Promise<Inventory> {
  const options = { timeoutMs: READ_MS, maxBytes: INVENTORY_MAX_BYTES, ...(signal === undefined ? {} : { signal }) };
  return namedByThisMachine(parseInventory(await output(session, INVENTORY_COMMAND, options)));
}
