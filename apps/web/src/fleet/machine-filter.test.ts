import type { MachineSummary, MachineUse } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';
import { MachinesSearch } from '../search.js';
import { filterMachines, labelsOf, withUse } from './machine-filter.js';

const machine = (name: string, more: Partial<MachineSummary> = {}): MachineSummary => ({
  name,
  site: 's',
  agent: 'lab',
  description: '',
  labels: {},
  desired: 'active',
  desiredBy: null,
  observed: 'online',
  problem: null,
  unproven: null,
  configured: true,
  lastSeenAt: null,
  lease: null,
  paths: [],
  ...more,
});
const use = (name: string, queued: number, share: number): MachineUse => ({
  machine: name,
  queued,
  days: Array<number>(7).fill(share),
});

const MACHINES = [
  machine('a', { labels: { cpu: 'amd', arch: 'x86_64' } }),
  machine('b', { labels: { cpu: 'intel' }, desired: 'drained', problem: 'a new riser' }),
  machine('c', { labels: { cpu: 'amd' }, observed: 'offline', problem: 'SSH was refused' }),
];
const LISTED = withUse(MACHINES, [use('a', 2, 0.6), use('b', 0, 0), use('c', 0, 0.2)]);
const names = (filter: MachinesSearch): string =>
  filterMachines(LISTED, filter)
    .map(({ machine: { name } }) => name)
    .join('');

describe('the filters of the machines', () => {
  it('are all met at once', () => {
    expect(names({})).toBe('abc');
    expect(names({ label: 'cpu=amd' })).toBe('ac');
    expect(names({ label: 'cpu=amd', health: 'ok' })).toBe('a');
    expect(names({ q: '!riser', health: 'problem' })).toBe('c');
  });

  it('take a state that was seen or one that is wanted', () => {
    expect(names({ state: 'offline' })).toBe('c');
    expect(names({ state: 'drained' })).toBe('b');
  });

  it('tell queues and loads apart, and hide nothing before those are known', () => {
    expect([names({ queue: 'waiting' }), names({ queue: 'empty' })]).toEqual(['a', 'bc']);
    expect([names({ load: 'idle' }), names({ load: 'light' }), names({ load: 'heavy' })]).toEqual(['b', 'c', 'a']);
    expect(filterMachines(withUse(MACHINES, undefined), { load: 'heavy', queue: 'waiting' })).toHaveLength(3);
  });

  it('come from an address, where what is not valid is left out', () => {
    const search = MachinesSearch.parse({ state: 'melted', label: 'cpu=amd', load: 'heavy', queue: '7' });
    expect(search).toEqual({ label: 'cpu=amd', load: 'heavy' });
  });

  it('offer each label once', () => {
    expect(labelsOf(MACHINES)).toEqual(['arch=x86_64', 'cpu=amd', 'cpu=intel']);
  });
});
