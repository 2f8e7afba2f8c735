import { expect, it } from 'vitest';
import { expectedStart, ordinal, whyWaiting, type MachineFacts, type WaitingFacts } from './waiting.js';

const machine: MachineFacts = {
  name: 'v-switch',
  desired: 'active',
  agent: 'lab',
  agentOnline: true,
  agentLastSeenAt: '2026-11-22T08:00:00Z',
  reachable: true,
  problem: null,
  leased: false,
  slots: null,
};
const queued: WaitingFacts = {
  kind: 'test',
  state: 'queued',
  build: 'patched',
  ahead: 0,
  startsInMs: null,
  pausedUntil: null,
  machine,
  storageFull: false,
  builders: 1,
  note: null,
  attempts: 0,
};

it('says why a test job waits', () => {
  const on = (more: Partial<typeof machine>) => whyWaiting({ ...queued, machine: { ...machine, ...more } });
  expect(whyWaiting({ ...queued, state: 'blocked' })).toBe('waiting for the build patched');
  expect(on({ agentOnline: false })).toBe(
    'v-switch is offline: its agent lab is silent, last seen 2026-11-22 08:00 UTC',
  );
  expect(on({ reachable: false })).toBe('v-switch is offline: its agent cannot reach it');
  expect(whyWaiting({ ...queued, machine: { ...machine, desired: 'drained' } })).toBe(
    'v-switch is drained; activate it to go on',
  );
  expect(whyWaiting({ ...queued, machine: { ...machine, leased: true }, ahead: 2 })).toBe('3rd in line for v-switch');
  expect(on({ leased: true, reachable: false })).toBe('next in line for v-switch');
  expect(whyWaiting(queued)).toBe('about to start on v-switch');
  expect(whyWaiting({ ...queued, storageFull: true })).toMatch(/^the storage is full/);
  expect(on({ slots: { taken: 2, total: 3 } })).toBe('about to start on v-switch');
  expect(on({ slots: { taken: 3, total: 3 } })).toBe('v-switch is free, but its agent lab runs 3 of at most 3 tests');
  expect(whyWaiting({ ...queued, state: 'running' })).toBeNull();
});

it('says why a build job waits, and why a job never ran', () => {
  const build: WaitingFacts = { ...queued, kind: 'build', machine: null };
  expect(whyWaiting({ ...build, builders: 0 })).toMatch(/no connected agent has the capability "build"/);
  expect(whyWaiting({ ...build, ahead: 1 })).toBe('2nd in line for a build slot');
  expect(whyWaiting({ ...queued, state: 'ended', note: 'the build failed' })).toBe('the build failed');
  expect(whyWaiting({ ...queued, state: 'ended', note: null, attempts: 1 })).toBeNull();
});

it('adds when it is expected to start, where that is known', () => {
  const busy = { ...queued, machine: { ...machine, leased: true } };
  expect(whyWaiting({ ...busy, ahead: 2, startsInMs: 370_000 })).toBe('3rd in line for v-switch, about 6 min');
  expect(whyWaiting({ ...busy, startsInMs: 20_000 })).toBe('next in line for v-switch, less than a minute');
  expect(whyWaiting({ ...queued, state: 'blocked', startsInMs: 7_200_000 })).toBe(
    'waiting for the build patched, about 2 h',
  );
  const build: WaitingFacts = { ...queued, kind: 'build', machine: null };
  expect(whyWaiting({ ...build, ahead: 1, startsInMs: 60_000 })).toBe('2nd in line for a build slot, about 1 min');
});

it('says whose boot comes first while builds take turns', () => {
  expect(whyWaiting({ ...queued, turnOf: 'base' })).toBe(
    'waiting for its turn: builds take turns on v-switch, and base is not built yet',
  );
  expect(whyWaiting({ ...queued, turnOf: 'base', machine: { ...machine, leased: true } })).toBe(
    'next in line for v-switch',
  );
});

it('says when a planned job could start', () => {
  const planned = (more: Partial<WaitingFacts>, on: Partial<MachineFacts> = {}) =>
    expectedStart({ ...queued, ...more, machine: { ...machine, ...on } });
  expect(planned({})).toEqual({ when: 'now', inMs: 0, text: 'now on v-switch', lastSeenAt: null });
  expect(planned({}, { agentOnline: false })).toEqual({
    when: 'blocked',
    inMs: null,
    text: 'v-switch is offline: its agent lab is silent',
    lastSeenAt: machine.agentLastSeenAt,
  });
  expect(planned({ ahead: 2, startsInMs: 360_000 })).toEqual({
    when: 'queue',
    inMs: 360_000,
    text: '3rd in line for v-switch, about 6 min',
    lastSeenAt: null,
  });
  expect(planned({}, { leased: true })).toMatchObject({ when: 'queue', inMs: null });
  expect(planned({}, { slots: { taken: 1, total: 1 } })).toMatchObject({ when: 'queue' });
  expect(planned({ state: 'blocked', startsInMs: 600_000 })).toMatchObject({
    when: 'build',
    text: 'after its build, about 10 min',
  });
  expect(planned({ state: 'blocked', builders: 0 })).toMatchObject({ when: 'blocked', inMs: null });
  expect(planned({}, { desired: 'drained' })).toMatchObject({
    when: 'blocked',
    text: expect.stringContaining('drained') as unknown,
  });
  expect(planned({ storageFull: true })).toMatchObject({
    when: 'blocked',
    text: expect.stringContaining('storage is full') as unknown,
  });
});

it('counts in English', () => {
  expect([1, 2, 3, 4, 11, 12, 13, 21, 102, 111].map(ordinal).join(' ')).toBe(
    '1st 2nd 3rd 4th 11th 12th 13th 21st 102nd 111th',
  );
});
