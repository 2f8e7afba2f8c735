import type { HttpClient } from '@peerlab/client';
import { desiredInWords, MachineDesired } from '@peerlab/contracts';
import { table } from '../render/text.js';

/** A table of all machines: wanted state, observed state, paths, agent, and problem. */
export async function listMachines(api: HttpClient): Promise<string> {
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

/** The machine state with this name. Throws an error that lists all states for any other word. */
export function parseDesired(word: string): MachineDesired {
  const parsed = MachineDesired.safeParse(word);
  if (parsed.success) return parsed.data;
  throw new Error(`unknown machine state "${word}"; use one of ${MachineDesired.options.join(', ')}`);
}

/** Sets the wanted state of a machine. Returns a sentence about it and about the attempt that runs there now. */
export async function setMachine(
  api: HttpClient,
  machine: string,
  desired: MachineDesired,
  reason: string | undefined,
): Promise<string> {
  const body = reason === undefined ? { desired } : { desired, reason };
  const { name, lease } = await api.call('setMachine', { params: { machine }, body });
  if (desired === 'active') return `${name} is active and takes work`;
  const running = lease === null ? 'nothing runs on it' : `attempt ${lease.attemptId} continues until it ends`;
  return `${name} is ${desiredInWords(desired)} and takes no new work; ${running}`;
}

/** Assigns a machine to another agent. Returns a sentence about when it takes effect. */
export async function moveMachine(api: HttpClient, machine: string, agent: string): Promise<string> {
  const { name, site } = await api.call('moveMachine', { params: { machine }, body: { agent } });
  return `${name} belongs to agent ${agent} of site ${site}; it takes work once that agent reports it`;
}

/** Frees the name of a machine. Returns a sentence about what remains of it. */
export async function forgetMachine(api: HttpClient, machine: string): Promise<string> {
  const { removed } = await api.call('forgetMachine', { params: { machine } });
  const left = removed ? 'no test ran on it, so its record was removed' : 'its history is kept';
  return `${machine} is forgotten; the next agent that reports a machine of this name owns it; ${left}`;
}

/** Assigns an agent with its machines to a site. Returns a sentence about what to configure. */
export async function moveAgent(api: HttpClient, agent: string, site: string): Promise<string> {
  const { machines } = await api.call('moveAgent', { params: { agent }, body: { site } });
  return `agent ${agent} belongs to site ${site}, with ${machines} machines; set "site: ${site}" in its configuration as well`;
}
