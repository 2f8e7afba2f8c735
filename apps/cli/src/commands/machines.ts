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

/** Gives a machine to another agent, and says when it gets it. */
export async function moveMachine(api: Client, machine: string, agent: string): Promise<string> {
  const { name, site } = await api.call('moveMachine', { params: { machine }, body: { agent } });
  return `${name} belongs to agent ${agent} of the site ${site}; it takes work when that agent names it`;
}

/** Frees the name of a machine, and says what is left of it. */
export async function forgetMachine(api: Client, machine: string): Promise<string> {
  const { removed } = await api.call('forgetMachine', { params: { machine } });
  const left = removed ? 'nothing was tested on it, so its record is gone' : 'its history stays';
  return `${machine} is forgotten: the next agent that names it gets it; ${left}`;
}

/** Gives an agent with its machines to a site. */
export async function moveAgent(api: Client, agent: string, site: string): Promise<string> {
  const { machines } = await api.call('moveAgent', { params: { agent }, body: { site } });
  return `agent ${agent} belongs to the site ${site}, with ${machines} machines; set its "site" to ${site} as well`;
}
