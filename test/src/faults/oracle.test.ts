import { describe, expect, it } from 'vitest';
import type { Evidence } from './evidence.js';
import { differenceFrom } from './gaps.js';
import type { Truth } from './lab.js';
import { judge } from './oracle.js';
import type { Performance } from './perform.js';
import type { TableChange } from './trace-recorder.js';

const MACHINE = 'fake-a';
const NONCE = 'aa';
const BOOT = 'boot-1';
const SUITE = 'p2p-functional';

/** A job on one machine that passed, as the lab did it and as Postgres holds it. */
function sound(): { evidence: Evidence; performance: Performance } {
  const happened = (atMs: number, event: Truth['event']): Truth => ({
    atMs,
    machine: MACHINE,
    bootId: BOOT,
    nonce: NONCE,
    event,
  });
  const said = (n: number): string => `[    1.00000${n}] ${MACHINE} says ${n}`;
  const attemptRow = (atMs: number, state: string, restored: boolean | null): TableChange => ({
    tx: atMs,
    atMs,
    table: 'participant',
    row: { id: 'a', state, revoked_at: null, restored },
  });
  const streamRow = (atMs: number, stream: string, next: number, expected: number | null): TableChange => ({
    tx: atMs,
    atMs,
    table: 'stream',
    row: { participant_id: 'a', stream, next, expected },
  });
  const truth = [
    happened(1500, { type: 'claim', fence: 1, token: 't' }),
    happened(2000, { type: 'up', kernel: 'candidate', bootId: BOOT, commandLine: `peerlab.nonce=${NONCE}` }),
    ...[1, 2].flatMap((n) => [
      happened(2100, { type: 'kmsg', record: `4,${n},100,-;${MACHINE} says ${n}` }),
      happened(2100, { type: 'console', lines: [said(n)] }),
    ]),
    happened(2200, { type: 'command', purpose: 'suite', args: {}, fence: 1, mode: 'own' }),
    happened(2300, { type: 'test', suite: SUITE, test: 'F01', act: 'pass', output: ['one', 'two'] }),
    happened(2400, { type: 'result', suite: SUITE, test: 'F01', ok: true }),
  ];
  const streams = {
    serial: ['booting', said(1), said(2)],
    kernel: [`# kernel 7.3, boot ${BOOT}`, said(1), said(2)],
    test: ['one', 'two', 'ok 1 F01'],
  };
  return {
    performance: {
      runIds: ['run'],
      struck: [],
      ended: Promise.resolve(),
      agentFrozen: [],
      busyUntilMs: 5000,
      truthFrom: 0,
      problems: [],
      mended: [],
      leftovers: [],
    },
    evidence: {
      attempts: [
        {
          id: 'a',
          attempt_id: 'a',
          role: 'main',
          roles: 1,
          machine: MACHINE,
          fence: 1,
          nonce: NONCE,
          state: 'ended',
          failure: null,
          restored: true,
          revoked: false,
          job_id: 'j',
          number: 1,
        },
      ],
      leases: [{ machine: MACHINE, fence: 1, attempt_id: 'a', acquired_ms: 1000, released_ms: 5000 }],
      streams: [
        { attempt_id: 'a', stream: 'events', next: 9, expected: null },
        ...Object.entries(streams).map(([stream, lines]) => ({
          attempt_id: 'a',
          stream,
          next: lines.length,
          expected: lines.length,
        })),
      ],
      results: [
        {
          attempt_id: 'a',
          suite: SUITE,
          test: 'F01',
          status: 'pass',
          verdict: 'pass',
          log: { stream: 'test', fromSeq: 0, toSeq: 2 },
        },
      ],
      jobs: [{ id: 'j', state: 'ended', verdict: 'pass', machine: MACHINE, run_id: 'run' }],
      runs: [{ created_ms: 900, ended_ms: 5100 }],
      truth,
      changes: [
        attemptRow(1000, 'assigned', null),
        attemptRow(1100, 'running', null),
        ...Object.entries(streams).map(([stream, { length }], index) => streamRow(2500 + index, stream, length, null)),
        streamRow(5000, 'test', streams.test.length, streams.test.length),
        attemptRow(5000, 'ended', true),
      ],
      lines: new Map(
        Object.entries(streams).map(([stream, lines]) => [`a ${stream}`, lines.map((text, seq) => ({ seq, text }))]),
      ),
      consoles: new Map([[MACHINE, ['before', 'booting', said(1), said(2), 'after']]]),
    },
  };
}

type Farm = ReturnType<typeof sound>;
const one = <T>(list: readonly T[]): T => {
  const [first] = list;
  if (first === undefined) throw new Error('there is none');
  return first;
};
const linesOf = ({ evidence }: Farm, stream: string) => evidence.lines.get(`a ${stream}`) ?? [];

/** What may be wrong with it, and the promise that this breaks. */
const BROKEN: [string, RegExp, (farm: Farm) => void][] = [
  [
    'a time in which no run was open',
    /some run is in flight/,
    ({ evidence }) => evidence.runs.unshift({ created_ms: 100, ended_ms: 800 }),
  ],
  [
    'a job that runs for ever',
    /every run ends/,
    ({ evidence }) => Object.assign(one(evidence.jobs), { state: 'running' }),
  ],
  [
    'an attempt that is left open',
    /every run ends/,
    ({ evidence }) => Object.assign(one(evidence.attempts), { state: 'running' }),
  ],
  [
    'a second lease beside the first',
    /one lease at a time/,
    ({ evidence }) =>
      evidence.leases.push({ machine: MACHINE, fence: 2, attempt_id: 'b', acquired_ms: 4000, released_ms: 6000 }),
  ],
  [
    'a suite that starts after the next lease began',
    /no more work/,
    ({ evidence }) => {
      one(evidence.leases).released_ms = 2100;
      evidence.leases.push({ machine: MACHINE, fence: 2, attempt_id: 'b', acquired_ms: 2150, released_ms: 6000 });
    },
  ],
  [
    'an end that was stored before the last line',
    /model of the lease protocol/,
    ({ evidence }) => void evidence.changes.splice(2, 1),
  ],
  [
    'an attempt of which nothing was recorded',
    /model of the lease protocol/,
    ({ evidence }) => (evidence.changes = []),
  ],
  [
    'an attempt that was claimed twice',
    /model of the lease protocol/,
    ({ evidence }) => evidence.changes.splice(2, 0, { ...one(evidence.changes), tx: 1200, atMs: 1200 }),
  ],
  ['a line that was lost', /stored once and in order/, (farm) => void linesOf(farm, 'test').splice(1, 1)],
  [
    'a line that was stored twice',
    /stored once and in order/,
    (farm) => void linesOf(farm, 'test').splice(1, 0, { seq: 0, text: 'one' }),
  ],
  [
    'fewer lines than the agent produced',
    /stored once and in order/,
    ({ evidence }) => Object.assign(evidence.streams[1] ?? {}, { expected: 4 }),
  ],
  [
    'an attempt that never told its counts',
    /stored once and in order/,
    ({ evidence }) => evidence.streams.forEach((row) => (row.expected = null)),
  ],
  ['a console line that is missing in between', /console/, (farm) => void linesOf(farm, 'serial').splice(1, 1)],
  ['the end of the console missing', /console/, (farm) => void linesOf(farm, 'serial').pop()],
  [
    'a kernel record stored twice',
    /kernel log/,
    (farm) => void linesOf(farm, 'kernel').splice(1, 0, one(linesOf(farm, 'kernel').slice(1))),
  ],
  ['a hole in the kernel log', /kernel log/, (farm) => void linesOf(farm, 'kernel').splice(1, 1)],
  [
    'a pass that the machine never said',
    /what the machine said/,
    ({ evidence }) => (evidence.truth = evidence.truth.filter(({ event }) => event.type !== 'result')),
  ],
  [
    'a pass without its output',
    /what the machine said/,
    (farm) => Object.assign(linesOf(farm, 'test')[1] ?? {}, { text: 'other' }),
  ],
  [
    'a pass of a kernel that never ran',
    /without proof/,
    ({ evidence }) => (evidence.truth = evidence.truth.filter(({ event }) => event.type !== 'up')),
  ],
  [
    'a machine that was left as it was',
    /restored or quarantined/,
    ({ evidence }) => Object.assign(one(evidence.attempts), { restored: false }),
  ],
  [
    'a machine with our kernel still on it',
    /restored or quarantined/,
    ({ performance }) => performance.leftovers.push({ machine: MACHINE, what: ['it boots peerlab-candidate next'] }),
  ],
  [
    'an attempt that has one machine for two roles',
    /all machines of its roles or none/,
    ({ evidence }) => Object.assign(one(evidence.attempts), { roles: 2 }),
  ],
  [
    'the two sides of an attempt that were claimed one after the other',
    /all machines of its roles or none/,
    ({ evidence }) => {
      const first = Object.assign(one(evidence.attempts), { roles: 2 });
      evidence.attempts.push({ ...first, id: 'b', role: 'server' });
      evidence.changes.push({ ...one(evidence.changes), tx: 1005, row: { ...one(evidence.changes).row, id: 'b' } });
    },
  ],
  [
    'an attempt whose two sides blame each other',
    /one that failed by itself/,
    ({ evidence }) => {
      const failure = { class: 'peer', message: 'stopped' };
      const first = Object.assign(one(evidence.attempts), { roles: 2, failure });
      evidence.attempts.push({ ...first, id: 'b', role: 'server' });
    },
  ],
  ['a process that crashed', /recovers by itself/, ({ performance }) => performance.problems.push('the agent ended')],
];

describe('the oracle', () => {
  it('has nothing against a sound farm', () => {
    const { evidence, performance } = sound();
    expect(judge(evidence, performance)).toEqual([]);
  });

  it.each(BROKEN)('notices %s', (_name, promise, breakIt) => {
    const farm = sound();
    breakIt(farm);
    expect(judge(farm.evidence, farm.performance).map((finding) => finding.promise)).toContainEqual(
      expect.stringMatching(promise),
    );
  });

  it('lets a recorded gap stand for exactly the lines that it counts', () => {
    const written = ['a says 1', 'a says 2', 'a says 3', 'a says 4', 'a says 5'];
    const isUnique = (line: string): boolean => written.includes(line);
    const gap = '[gap: 2 lines are missing here (16 bytes): the spool was full]';
    expect(differenceFrom(written, ['a says 2', 'a says 3'], isUnique)).toBeNull();
    expect(differenceFrom(written, ['a says 1', gap, 'a says 4'], isUnique)).toBeNull();
    expect(differenceFrom(written, [gap, 'a says 3', 'a says 4'], isUnique)).toBeNull();
    expect(differenceFrom(written, ['a says 1', gap, 'a says 5'], isUnique)).toMatch(/written was "a says 4"/);
    expect(differenceFrom(written, ['a says 1', 'a says 3'], isUnique)).toMatch(/written was "a says 2"/);
    expect(differenceFrom(written, ['a says 7'], () => true)).toMatch(/never written/);
  });
});
