import { desiredInWords, MachineDesired } from '@peerlab/contracts';
import type { Client } from '../client.js';
import { table } from '../render/text.js';

/** A table of all machines: what is wanted of them, what is seen of them, and what is wrong. */
export async function listMachines(api: Client): Promise<string> {
  const fleet = await api.call('getFleet', {});
  const rows = fleet.machines.map((m) => [
    m.name,
    m.desired,
    m.observed,
    m.paths.map((p) => p.kind).join(','),
    m.agent,
    m.problem ?? '',
  ]);
  return table([['MACHINE', 'WANTED', 'SEEN', 'PATHS', 'AGENT', 'PROBLEM'], ...rows]);
}

/** The state that a word names; throws with all of them when it names none. */
export function parseDesired(word: string): MachineDesired {
  const parsed = MachineDesired.safeParse(word);
  if (parsed.success) return parsed.data;
  throw new Error(`"${word}" is no state of a machine; it is one of ${MachineDesired.options.join(', ')}`);
}

/** Says what is wanted of a machine, and answers with what that means for what runs on it now. */
export async function setMachine(
  api: Client,
  machine: string,
  desired: MachineDesired,
  reason: string | undefined,
): Promise<string> {
  const body = reason === undefined ? { desired } : { desired, reason };
  const { name, lease } = await api.call('setMachine', { params: { machine }, body });
  if (desired === 'active') return `${name} is active: it takes work`;
  const running = lease === null ? 'nothing runs on it' : `attempt ${lease.attemptId} goes on to its end`;
  return `${name} is ${desiredInWords(desired)}: it takes no new work; ${running}`;
}
