import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { HttpClient } from '@peerlab/client';
import type { AnswerOf, MachineView } from '@peerlab/contracts';
import { afterEach, describe, expect, it } from 'vitest';
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
  unproven: null,
  configured: true,
  lastSeenAt: null,
  lease: null,
  inventory: null,
  checks: null,
  checkRuns: [],
  paths: [],
};

describe('commands that change machines', () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  /** A server that gives one answer to everything and keeps what it was asked. */
  async function answering(
    answer: MachineView | AnswerOf<'forgetMachine'> | AnswerOf<'moveAgent'>,
  ): Promise<{ client: HttpClient; requests: unknown[] }> {
    const requests: unknown[] = [];
    const server = createServer((request, response) => {
      void text(request).then((body) => {
        requests.push([request.method, request.url, body === '' ? null : JSON.parse(body)]);
        response.end(JSON.stringify(answer));
      });
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return { client: new HttpClient({ url, token: () => null }), requests };
  }

  it('sends state and reason, and says what happens to the work on the machine', async () => {
    const lease = {
      attemptId: '6b0e9f6e-3f0d-4a57-9a39-0d6f8a1c2b3d',
      runId: '6b0e9f6e-3f0d-4a57-9a39-0d6f8a1c2b3d',
      fence: 3,
      expiresAt: '2026-01-01T00:00:00.000Z',
    };
    const busy = await answering({ ...MACHINE, lease });
    expect((await setMachine(busy.client, 'm1', 'maintenance', 'new riser')).text).toBe(
      `m1 is in maintenance and takes no new work; attempt ${lease.attemptId} continues until it ends`,
    );
    const path = '/api/v1/machines/m1';
    expect(busy.requests).toEqual([['PATCH', path, { desired: 'maintenance', reason: 'new riser' }]]);
    const idle = await answering(MACHINE);
    expect((await setMachine(idle.client, 'm1', 'active', 'riser replaced')).text).toBe('m1 is active and takes work');
    expect(idle.requests).toEqual([['PATCH', path, { desired: 'active', reason: 'riser replaced' }]]);
  });

  it('names the states when it does not know one', () => {
    expect(parseDesired('drained')).toBe('drained');
    expect(() => parseDesired('broken')).toThrow(
      'unknown machine state "broken"; use one of active, drained, maintenance, quarantined',
    );
  });

  it('moves and forgets machines, and moves agents', async () => {
    const moved = await answering({ ...MACHINE, site: 'south' });
    expect((await moveMachine(moved.client, 'm1', 'lab-2')).text).toContain('m1 belongs to agent lab-2 of site south');
    expect(moved.requests).toEqual([['POST', '/api/v1/machines/m1/move', { agent: 'lab-2' }]]);
    const removed = await answering({ removed: true });
    expect((await forgetMachine(removed.client, 'm1')).text).toContain('its record was removed');
    expect(removed.requests).toEqual([['POST', '/api/v1/machines/m1/forget', null]]);
    expect((await forgetMachine((await answering({ removed: false })).client, 'm1')).text).toContain(
      'its history is kept',
    );
    const agent = await answering({ agent: 'lab', site: 'north', machines: 3 });
    expect((await moveAgent(agent.client, 'lab', 'north')).text).toContain('with 3 machines');
    expect(agent.requests).toEqual([['POST', '/api/v1/agents/lab/move', { site: 'north' }]]);
  });
});
