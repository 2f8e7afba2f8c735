import type { CallOf, MachineView } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';
import type { Client } from '../client.js';
import { parseDesired, setMachine } from './machines.js';

const MACHINE: MachineView = {
  name: 'm1',
  site: 's',
  agent: 'lab',
  description: '',
  labels: {},
  desired: 'active',
  desiredBy: null,
  observed: 'online',
  problem: null,
  configured: true,
  lastSeenAt: null,
  lease: null,
  inventory: null,
  paths: [],
};

/** A controller that remembers what it was asked. */
function clientWith(machine: MachineView): Client & { calls: unknown[] } {
  const calls: unknown[] = [];
  return {
    token: null,
    url: 'http://farm',
    calls,
    call: async (name: string, call: unknown) => {
      calls.push([name, call]);
      return machine as never;
    },
    text: () => Promise.reject(new Error('not asked for')),
  };
}

describe('machines set', () => {
  it('sends state and reason, and says what becomes of what runs', async () => {
    const lease = {
      attemptId: '6b0e9f6e-3f0d-4a57-9a39-0d6f8a1c2b3d',
      runId: '6b0e9f6e-3f0d-4a57-9a39-0d6f8a1c2b3d',
      fence: 3,
      expiresAt: '2026-01-01T00:00:00.000Z',
    };
    const busy = clientWith({ ...MACHINE, lease });
    expect(await setMachine(busy, 'm1', 'maintenance', 'new riser')).toBe(
      `m1 is in maintenance: it takes no new work; attempt ${lease.attemptId} goes on to its end`,
    );
    const call: CallOf<'setMachine'> = {
      params: { machine: 'm1' },
      body: { desired: 'maintenance', reason: 'new riser' },
    };
    expect(busy.calls).toEqual([['setMachine', call]]);
    const idle = clientWith(MACHINE);
    expect(await setMachine(idle, 'm1', 'active', undefined)).toBe('m1 is active: it takes work');
    expect(idle.calls).toEqual([['setMachine', { params: { machine: 'm1' }, body: { desired: 'active' } }]]);
  });

  it('names the states when it does not know one', () => {
    expect(parseDesired('drained')).toBe('drained');
    expect(() => parseDesired('broken')).toThrow(
      '"broken" is no state of a machine; it is one of active, drained, maintenance, quarantined',
    );
  });
});
