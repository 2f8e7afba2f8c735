import type { CallOf, MachineView } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';
import type { Client } from '../client.js';
import { forgetMachine, moveAgent, moveMachine, parseDesired, setMachine } from './machines.js';

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
function clientWith(answer: MachineView | { removed: boolean } | { machines: number }): Client & { calls: unknown[] } {
  const calls: unknown[] = [];
  return {
    token: null,
    url: 'http://farm',
    calls,
    call: async (name: string, call: unknown) => {
      calls.push([name, call]);
      return answer as never;
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

describe('ownership', () => {
  it('moves and forgets machines, and moves agents', async () => {
    const moved = clientWith({ ...MACHINE, site: 'south' });
    expect(await moveMachine(moved, 'm1', 'lab-2')).toContain('belongs to agent lab-2 of the site south');
    expect(moved.calls).toEqual([['moveMachine', { params: { machine: 'm1' }, body: { agent: 'lab-2' } }]]);
    expect(await forgetMachine(clientWith({ removed: true }), 'm1')).toContain('its record is gone');
    expect(await forgetMachine(clientWith({ removed: false }), 'm1')).toContain('its history stays');
    expect(await moveAgent(clientWith({ machines: 3 }), 'lab', 'north')).toContain('with 3 machines');
  });
});
