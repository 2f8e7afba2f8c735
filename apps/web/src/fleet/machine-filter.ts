import { leasedShare, type MachineSummary, type MachineUse } from '@peerlab/contracts';
import type { MachinesSearch } from '../search.js';
import { readPattern } from '../ui/pattern.js';

/** A machine of the list with its use; null while that is not known. */
export interface ListedMachine {
  machine: MachineSummary;
  use: MachineUse | null;
}

/** From this share of the last seven days on a machine counts as heavily used. */
export const HEAVY_SHARE = 0.5;

/** Words of the load filter: how much of the last seven days a machine was leased. */
export const LOADS = {
  idle: 'idle',
  light: 'below half',
  heavy: 'half and more',
} as const;

/** Machines with their use, in the order of the machines. */
export function withUse(machines: readonly MachineSummary[], use: readonly MachineUse[] | undefined): ListedMachine[] {
  const byName = new Map(use?.map((each) => [each.machine, each]));
  return machines.map((machine) => ({ machine, use: byName.get(machine.name) ?? null }));
}

/** `key=value` of every label that a machine has, each once, by name. */
export function labelsOf(machines: readonly MachineSummary[]): string[] {
  const labels = machines.flatMap(({ labels }) => Object.entries(labels).map(([key, value]) => `${key}=${value}`));
  return [...new Set(labels)].toSorted();
}

/** The machines that pass every filter. Before the use is known, filters on queue and load let every machine pass. */
export function filterMachines(listed: readonly ListedMachine[], filter: MachinesSearch): ListedMachine[] {
  const { matches } = readPattern(filter.q);
  return listed.filter(
    ({ machine, use }) =>
      matches(textOf(machine)) &&
      (filter.state === undefined || machine.observed === filter.state || machine.desired === filter.state) &&
      (filter.label === undefined || labelsOf([machine]).includes(filter.label)) &&
      (filter.health === undefined || (machine.problem === null) === (filter.health === 'ok')) &&
      (use === null || filter.queue === undefined || use.queued > 0 === (filter.queue === 'waiting')) &&
      (use === null || filter.load === undefined || loadOf(use) === filter.load),
  );
}

function loadOf(use: MachineUse): keyof typeof LOADS {
  const share = leasedShare(use);
  if (share === 0) return 'idle';
  return share < HEAVY_SHARE ? 'light' : 'heavy';
}

function textOf({ name, description, site, agent, problem, paths }: MachineSummary): string {
  return [name, description, site, agent, ...paths.map(({ kind }) => kind), problem ?? ''].join(' ');
}
