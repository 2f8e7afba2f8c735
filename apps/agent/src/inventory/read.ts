import type { Inventory } from '@peerlab/contracts';
import { output } from '../machine/command.js';
import type { Session } from '../machine/protocols.js';
import { parseInventory } from './parse.js';
import { INVENTORY_COMMAND } from './script.js';

/** Reads a machine's inventory over an open connection. */
export async function readInventory(session: Session, signal?: AbortSignal): Promise<Inventory> {
  const options = { timeoutMs: 60_000, ...(signal === undefined ? {} : { signal }) };
  return parseInventory(await output(session, INVENTORY_COMMAND, options));
}
