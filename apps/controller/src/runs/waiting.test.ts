import { describe, expect, it } from 'vitest';
import { expectedStart, ordinal, whyStuck, whyWaiting, type CandidateFacts, type WaitingFacts } from './waiting.js';

const machine: CandidateFacts = {
  name: 'v-switch',
  desired: 'active',
  agent: 'lab',
  agentOnline: true,
  agentLastSeenAt: '2026-11-22T08:00:00Z',
  reachable: true,
  problem: null,
  leased: false,
  reserved: null,
  slots: null,
  takesPair: true,
  takesRoles: true,
  unproven: null,
  labels: {},
};
const queued: WaitingFacts = {
  kind: 'test',
  state: 'queued',
  build: 'patched',
  combination: 'ivshmem → edu · BUS_ADDR',
  ahead: 0,
  startsInMs: null,
  pausedUntil: null,
  machines: [machine],
  roles: [],
  sameLabels: [],
  storageFull: false,
  builders: 1,
  note: null,
  attempts: 0,
};

it('says why a test job waits', () => {
  const on = (more: Partial<typeof machine>) => whyWaiting({ ...queued, machines: [{ ...machine, ...more }] });
  expect(whyWaiting({ ...queued, state: 'blocked' })).toBe('waiting for the build patched');
  expect(on({ agentOnline: false })).toBe(
    'v-switch is offline: its agent lab is silent, last seen 2026-11-22 08:00 UTC',
  );
  expect(on({ reachable: false })).toBe('v-switch is offline: its agent cannot reach it');
  expect(whyWaiting({ ...queued, machines: [{ ...machine, desired: 'drained' }] })).toBe(
    'v-switch is drained; activate it to go on',
  );
  const reserved = { holder: 'ann', reason: 'a look', state: 'held', until: '2026-01-02T14:00:00Z' } as const;
  expect(on({ reserved, reachable: false })).toBe(
    `next in line for ${machine.name}; it is reserved by ann until 2026-01-02 14:00 UTC: a look`,
  );
  expect(on({ reserved: { ...reserved, state: 'waiting', until: null }, leased: true })).toContain(
    'it is reserved by ann as soon as it is free: a look',
  );
  const twin = { ...machine, name: 'v-z' };
  expect(whyWaiting({ ...queued, machines: [{ ...machine, reserved }, twin] })).toBe('about to start on v-z');
  expect(
    whyWaiting({
      ...queued,
      machines: [
        { ...machine, reserved },
        { ...twin, leased: true },
      ],
    }),
  ).toContain(`${machine.name}: reserved by ann until 2026-01-02 14:00 UTC: a look, v-z: busy`);
  expect(whyWaiting({ ...queued, machines: [{ ...machine, leased: true }], ahead: 2 })).toBe(
    '3rd in line for v-switch',
  );
  expect(on({ leased: true, reachable: false })).toBe('next in line for v-switch');
  expect(whyWaiting(queued)).toBe('about to start on v-switch');
  expect(whyWaiting({ ...queued, storageFull: true })).toMatch(/^the storage is full/);
  expect(on({ slots: { taken: 2, total: 3 } })).toBe('about to start on v-switch');
  expect(on({ slots: { taken: 3, total: 3 } })).toBe('v-switch is free, but its agent lab runs 3 of at most 3 tests');
  expect(whyWaiting({ ...queued, state: 'running' })).toBeNull();
});

describe('a job that any machine of a combination may take', () => {
  const named = (name: string, more: Partial<CandidateFacts> = {}): CandidateFacts => ({ ...machine, name, ...more });
  const among =
    (...machines: CandidateFacts[]) =>
    (more: Partial<WaitingFacts> = {}) =>
      whyWaiting({ ...queued, machines, ...more });
  const drained = named('v-b', { desired: 'drained' });

  it('waits for one of them, and says what each does', () => {
    const waiting = among(named('v-a', { leased: true }), drained, named('v-c', { agentOnline: false }));
    expect(waiting({ ahead: 1, startsInMs: 360_000 })).toBe(
      '2nd in line for a machine of ivshmem → edu · BUS_ADDR (v-a: busy, v-b: drained, v-c: offline), about 6 min',
    );
  });

  it('starts where one is free, as many as there are free ones', () => {
    const waiting = among(named('v-a'), drained, named('v-c'));
    expect(waiting({ ahead: 1 })).toBe('about to start on one of v-a, v-c');
    expect(waiting({ ahead: 2 })).toContain('3rd in line');
    expect(among(named('v-a'), drained)()).toBe('about to start on v-a');
    expect(expectedStart({ ...queued, machines: [drained, named('v-c')] })).toMatchObject({ text: 'now on v-c' });
  });

  it('needs a person when none can take it, or there is none', () => {
    const offline = named('v-a', { reachable: false, problem: 'no answer' });
    expect(among(offline, drained)()).toBe(
      'no machine of ivshmem → edu · BUS_ADDR can take it: v-a is offline: no answer, v-b is drained; activate it to go on',
    );
    expect(among()()).toBe('no machine that may take it has ivshmem → edu · BUS_ADDR any more');
    const none = { combination: null, roles: [], sameLabels: [] };
    const tests = [{ ...none, machines: [offline, drained] }];
    expect(whyStuck({ tests, builds: 0, builders: 1, storageFull: false })).toContain('can take it');
    const one = [...tests, { ...none, machines: [drained, named('v-c')] }];
    expect(whyStuck({ tests: one, builds: 0, builders: 1, storageFull: false })).toBeNull();
    expect(among(named('v-a', { takesPair: false }))()).toContain('cannot choose one');
  });
});

describe('a job with several roles', () => {
  const named = (name: string, more: Partial<CandidateFacts> = {}): CandidateFacts => ({ ...machine, name, ...more });
  const role = (name: string, ...machines: CandidateFacts[]) => ({ role: name, combination: `of ${name}`, machines });
  const waits = (...roles: ReturnType<typeof role>[]) => whyWaiting({ ...queued, machines: [], roles });
  const client = role('client', named('v-pair-a'));

  it('says for which role it lacks a machine, and what those do', () => {
    expect(waits(client, role('server', named('v-pair-b', { leased: true })))).toBe(
      'waits for a machine for role server: v-pair-b is busy',
    );
    const two = role('server', named('v-b', { leased: true }), named('v-c', { desired: 'drained' }));
    expect(waits(role('client', named('v-a', { leased: true })), two)).toBe(
      'waits for a machine for role client: v-a is busy; role server: v-b: busy, v-c: drained',
    );
    expect(whyWaiting({ ...queued, machines: [], roles: [client, two], startsInMs: 360_000 })).toBe(
      'waits for a machine for role server: v-b: busy, v-c: drained, about 6 min',
    );
    expect(waits(client, role('server', named('v-pair-a')))).toMatch(
      /^there are no 2 different machines that can take/,
    );
  });

  it('starts when each role has a machine of its own', () => {
    const roles = [role('client', named('v-a'), named('v-b')), role('server', named('v-a'))];
    expect(waits(...roles)).toBe('about to start on v-b and v-a');
    expect(expectedStart({ ...queued, machines: [], roles })).toMatchObject({
      when: 'now',
      text: 'now on v-b and v-a',
    });
    const busy = [client, role('server', named('v-pair-b', { leased: true }))];
    expect(expectedStart({ ...queued, machines: [], roles: busy, startsInMs: 60_000 })).toMatchObject({
      when: 'queue',
      inMs: 60_000,
    });
  });

  it('needs a person when a role can have no machine, when they do not belong together, and when an agent is too old', () => {
    expect(waits(client, role('server', named('v-pair-b', { desired: 'drained' })))).toBe(
      'role server: v-pair-b is drained; activate it to go on',
    );
    const racks = [
      role('client', named('a', { labels: { switch: '1' } })),
      role('server', named('b', { labels: { switch: '2' } })),
    ];
    const related = { ...queued, machines: [], roles: racks, sameLabels: ['switch'] };
    expect(whyWaiting(related)).toBe(
      'there are no 2 different machines with the same switch that can take the roles client and server together',
    );
    expect(whyStuck({ tests: [related], builds: 0, builders: 1, storageFull: false })).toContain('the same switch');
    expect(waits(client, role('server', named('v-pair-b', { takesRoles: false })))).toBe(
      'role server: the agent lab of v-pair-b is too old for jobs with several roles; update it',
    );
    const limited = { slots: { taken: 0, total: 1 } };
    expect(waits(role('client', named('v-a', limited)), role('server', named('v-b', limited)))).toMatch(
      /^there are no 2/,
    );
  });
});

it('says why a build job waits, and why a job never ran', () => {
  const build: WaitingFacts = { ...queued, kind: 'build', machines: [] };
  expect(whyWaiting({ ...build, builders: 0 })).toMatch(/no connected agent has the capability "build"/);
  expect(whyWaiting({ ...build, ahead: 1 })).toBe('2nd in line for a build slot');
  expect(whyWaiting({ ...queued, state: 'ended', note: 'the build failed' })).toBe('the build failed');
  expect(whyWaiting({ ...queued, state: 'ended', note: null, attempts: 1 })).toBeNull();
});

it('adds when it is expected to start, where that is known', () => {
  const busy = { ...queued, machines: [{ ...machine, leased: true }] };
  expect(whyWaiting({ ...busy, ahead: 2, startsInMs: 370_000 })).toBe('3rd in line for v-switch, about 6 min');
  expect(whyWaiting({ ...busy, startsInMs: 20_000 })).toBe('next in line for v-switch, less than a minute');
  expect(whyWaiting({ ...queued, state: 'blocked', startsInMs: 7_200_000 })).toBe(
    'waiting for the build patched, about 2 h',
  );
  const build: WaitingFacts = { ...queued, kind: 'build', machines: [] };
  expect(whyWaiting({ ...build, ahead: 1, startsInMs: 60_000 })).toBe('2nd in line for a build slot, about 1 min');
});

it('says whose boot comes first while builds take turns', () => {
  expect(whyWaiting({ ...queued, turnOf: 'base' })).toBe(
    'waiting for its turn: builds take turns on v-switch, and base is not built yet',
  );
  expect(whyWaiting({ ...queued, turnOf: 'base', machines: [{ ...machine, leased: true }] })).toBe(
    'next in line for v-switch',
  );
});

it('says when a planned job could start', () => {
  const planned = (more: Partial<WaitingFacts>, on: Partial<CandidateFacts> = {}) =>
    expectedStart({ ...queued, ...more, machines: [{ ...machine, ...on }] });
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
