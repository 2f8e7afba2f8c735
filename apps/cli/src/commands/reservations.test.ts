import { HttpClient } from '@peerlab/client';
import { TestFarm } from '@peerlab/controller/testing/farm';
import type { FakeAgent } from '@peerlab/controller/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UsageError } from '../exit-codes.js';
import { listReservations, parseDuration, reserveMachine, returnMachine } from './reservations.js';

describe('how long', () => {
  it('is said in minutes, hours or days', () => {
    expect(['1m', '90m', '2h', '7d'].map(parseDuration)).toEqual([60, 5400, 7200, 604_800]);
  });
  it.each(['', '0m', '2', '2 h', '1.5h', '8d', '-1h', '99999d', '2H', '1w'])('is not “%s”', (word) => {
    expect(() => parseDuration(word)).toThrow(UsageError);
  });
});

describe('the commands of reservations', () => {
  let farm: TestFarm;
  let agent: FakeAgent;
  const as = (token: string): HttpClient => new HttpClient({ url: farm.server.url, token: () => token });
  let ann: HttpClient;
  let bob: HttpClient;
  beforeAll(async () => {
    farm = await TestFarm.start();
    agent = await farm.agent({ m1: 'BUS_ADDR' });
    ann = as(await farm.token('user', 'ann'));
    bob = as(await farm.token('user', 'bob'));
  });
  afterAll(async () => {
    agent.vanish();
    await farm.stop();
  });

  it('reserve, list and give back a machine, and say what happens next', async () => {
    expect((await listReservations(ann, undefined)).text).toBe('no machine is reserved');
    const asked = { for: '2h', reason: 'a look' };
    expect((await reserveMachine(ann, 'm1', asked)).text).toMatch(
      /^m1 is yours until \d{4}-\d\d-\d\d \d\d:\d\d UTC; give it back with "peerlab return m1"$/,
    );
    const listed = (await listReservations(bob, 'm1')).text;
    expect(listed).toMatch(
      /^MACHINE +STATE +HOLDER +FROM +UNTIL +WHY\nm1 +held +ann .* reserved by ann until .*: a look$/,
    );
    await expect(reserveMachine(bob, 'm1', asked)).rejects.toThrow('m1 is reserved by ann until');
    await expect(returnMachine(bob, 'm1', undefined)).rejects.toThrow('m1 is reserved by ann until');
    expect((await returnMachine(bob, 'm1', 'she is away')).text).toBe(
      'm1 is given back; it takes jobs when its agent has restored it',
    );
    const [open] = await farm.call('listReservations', { query: { machine: 'm1' } });
    agent.heartbeat(
      [],
      [{ reservationId: open?.id ?? '', fence: open?.fence ?? 0, state: 'restored', detail: 'done' }],
    );
    await farm.until(
      'the end',
      async () => (await listReservations(ann, 'm1')).text,
      (text) => /m1 +ended .* restored: a look$/m.test(text),
    );
    expect((await returnMachine(ann, 'm1', undefined)).text).toBe('m1 is not reserved');
  });
});
