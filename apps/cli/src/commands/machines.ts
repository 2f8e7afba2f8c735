import type { HttpClient } from '@peerlab/client';
import { desiredInWords, MachineDesired } from '@peerlab/contracts';
import type { Answer } from '../command.js';
import { UsageError } from '../exit-codes.js';
import { table } from '../render/text.js';

/** All machines: wanted state, observed state, paths, agent, and problem. */
export async function listMachines(api: HttpClient): Promise<Answer> {
  const fleet = await api.call('getFleet', {});
  const rows = fleet.machines.map((m) => [
    m.name,
    m.desired,
    m.observed,
    m.paths.map((p) => p.kind).join(','),
    m.agent,
    m.problem ?? '',
  ]);
  return { data: fleet, text: table([['MACHINE', 'WANTED', 'SEEN', 'PATHS', 'AGENT', 'PROBLEM'], ...rows]) };
}

/** The machine state with this name. Throws a UsageError that lists all states for any other word. */
export function parseDesired(word: string): MachineDesired {
  const parsed = MachineDesired.safeParse(word);
  if (parsed.success) return parsed.data;
  throw new UsageError(`unknown machine state "${word}"; use one of ${MachineDesired.options.join(', ')}`);
}

/**
 * Sets the wanted state of a machine; the reason is shown to everyone and kept. Returns a sentence about it and about the
 * attempt that runs there now.
 */
export async function setMachine(
  api: HttpClient,
  machine: string,
  desired: MachineDesired,
  reason: string,
): Promise<Answer> {
  const view = await api.call('setMachine', { params: { machine }, body: { desired, reason } });
  const { name, lease } = view;
  if (desired === 'active') return { data: view, text: `${name} is active and takes work` };
  const running = lease === null ? 'nothing runs on it' : `attempt ${lease.attemptId} continues until it ends`;
  return { data: view, text: `${name} is ${desiredInWords(desired)} and takes no new work; ${running}` };
}

/** Assigns a machine to another agent. Returns a sentence about when it takes effect. */
export async function moveMachine(api: HttpClient, machine: string, agent: string): Promise<Answer> {
  const view = await api.call('moveMachine', { params: { machine }, body: { agent } });
  const text = `${view.name} belongs to agent ${agent} of site ${view.site}; it takes work once that agent reports it`;
  return { data: view, text };
}

/** Frees the name of a machine. Returns a sentence about what remains of it. */
export async function forgetMachine(api: HttpClient, machine: string): Promise<Answer> {
  const answer = await api.call('forgetMachine', { params: { machine } });
  const left = answer.removed ? 'no test ran on it, so its record was removed' : 'its history is kept';
  const text = `${machine} is forgotten; the next agent that reports a machine of this name owns it; ${left}`;
  return { data: answer, text };
}

/** All agents: site, whether they are connected, capabilities and version. */
export async function listAgents(api: HttpClient): Promise<Answer> {
  const { agents } = await api.call('getFleet', {});
  const rows = agents.map(({ name, site, connected, lastSeenAt, capabilities, version }) => [
    name,
    site,
    connected ? 'connected' : `away since ${lastSeenAt ?? 'ever'}`,
    capabilities.join(','),
    version,
  ]);
  return { data: agents, text: table([['AGENT', 'SITE', 'STATE', 'CAPABILITIES', 'VERSION'], ...rows]) };
}

/** Assigns an agent with its machines to a site. Returns a sentence about what to configure. */
export async function moveAgent(api: HttpClient, agent: string, site: string): Promise<Answer> {
  const answer = await api.call('moveAgent', { params: { agent }, body: { site } });
  const text = `agent ${agent} belongs to site ${site}, with ${answer.machines} machines; set "site: ${site}" in its configuration as well`;
  return { data: answer, text };
}
