import type { FakeEvent } from '@peerlab/agent/fake';
import { describe, expect, it } from 'vitest';
import type { AttemptRow } from './evidence.js';
import type { PowerEvent, Truth } from './lab.js';
import { type ActionKind, actionOf, lateWork } from './late-work.js';

const MACHINE = 'fake-a';
const NONCE = 'aa';
type Event = FakeEvent | PowerEvent;
type Evidence = Parameters<typeof lateWork>[0];

const happened = (atMs: number, event: Event, nonce: string | null = null): Truth => ({
  atMs,
  machine: MACHINE,
  bootId: 'boot',
  nonce,
  event,
});
const command = (purpose: string, fence: number | null, mode: 'own' | 'not-higher' = 'own'): Event => ({
  type: 'command',
  purpose,
  args: {},
  fence,
  mode: fence === null ? null : mode,
});
const attempt = (fence: number, revoked: boolean): AttemptRow => ({
  id: `attempt-${fence}`,
  attempt_id: `attempt-${fence}`,
  role: 'main',
  roles: 1,
  machine: MACHINE,
  fence,
  nonce: fence === 1 ? NONCE : 'bb',
  state: 'ended',
  failure: null,
  restored: null,
  revoked,
  job_id: 'job',
  number: fence,
});

/** Fence 1 had the machine from 1000 to 5000, when its lease ran out; fence 2 has it from 6000 on. */
function history(...truth: Truth[]): Evidence {
  return {
    attempts: [attempt(1, true), attempt(2, false)],
    leases: [
      { machine: MACHINE, fence: 1, attempt_id: 'attempt-1', acquired_ms: 1000, released_ms: 5000 },
      { machine: MACHINE, fence: 2, attempt_id: 'attempt-2', acquired_ms: 6000, released_ms: 9000 },
    ],
    truth,
  };
}
const judged = (evidence: Evidence, agentFrozen: { fromMs: number; toMs: number }[] = []): string[] =>
  lateWork(evidence, { agentFrozen }).map(({ detail }) => detail);

/** One of each kind that an attempt may do while it has its lease. */
const WORK: Record<ActionKind, Event[]> = {
  claim: [{ type: 'claim', fence: 1, token: 't' }],
  flash: [
    command('make-folders', 1),
    command('place-file', 1),
    command('unpack-modules', 1),
    command('grub-install', 1),
  ],
  upload: [{ type: 'upload', path: '/boot/peerlab-x-vmlinuz.part', bytes: 10, fence: 1 }],
  select: [command('grub-select', 1)],
  reboot: [command('reboot', 1)],
  test: [command('modprobe', 1), command('suite', 1), command('suite-kill', 1)],
  clean: [command('clean', 1), command('grub-remove', 1)],
  power: [{ type: 'power', action: 'reset', fence: 1, restoring: false }],
  disk: [{ type: 'power', action: 'discard', fence: 1, restoring: false }],
};
/** What an attempt does to put its machine back. */
const RESTORING: Event[] = [
  command('reboot', 1, 'not-higher'),
  command('grub-remove', 1, 'not-higher'),
  command('clean', 1, 'not-higher'),
  { type: 'power', action: 'reset', fence: 1, restoring: true },
  { type: 'power', action: 'discard', fence: 1, restoring: true },
];
const nameOf = (event: Event): string =>
  event.type === 'command' ? event.purpose : event.type === 'power' ? event.action : event.type;
const CASES = Object.entries(WORK).flatMap(([kind, events]) =>
  events.map((event) => [kind, nameOf(event), event] as const),
);

describe('an action on a machine', () => {
  it.each(CASES)('is known as %s (%s)', (kind, _name, event) => {
    expect(actionOf(happened(1, event))).toMatchObject({ kind, fence: 1, restoring: false });
  });

  it('is empty when the machine did not change', () => {
    for (const purpose of ['identify', 'fence-check', 'kmsg-follow', 'suite-list', 'collect', 'fence-claim', '']) {
      expect(actionOf(happened(1, command(purpose, 1)))).toBeNull();
    }
    expect(actionOf(happened(1, { type: 'down' }))).toBeNull();
  });
});

describe('late work: the oracle', () => {
  it.each(CASES)('lets an attempt do it while it has its lease, and not afterwards: %s (%s)', (_kind, _name, event) => {
    expect(judged(history(happened(4999, event)))).toEqual([]);
    expect(judged(history(happened(5200, event)))).toEqual([
      expect.stringMatching(/^fake-a: .* of fence 1 200 virtual ms after it had lost its lease$/),
    ]);
  });

  it.each(CASES)('finds it after a newer attempt has begun: %s (%s)', (_kind, _name, event) => {
    const newer = happened(4000, { type: 'claim', fence: 2, token: 'u' });
    expect(judged(history(newer, happened(4500, event)))).toContainEqual(
      expect.stringMatching(/of fence 1 after work of fence 2/),
    );
  });

  it.each(RESTORING.map((event) => [nameOf(event), event] as const))(
    'lets a revoked attempt restore its machine until a newer one has begun: %s',
    (_name, event) => {
      expect(judged(history(happened(6500, event)))).toEqual([]);
      const newer = happened(6200, { type: 'claim', fence: 2, token: 'u' });
      expect(judged(history(newer, happened(6500, event)))).toEqual([
        expect.stringMatching(/of fence 1 after work of fence 2/),
      ]);
    },
  );

  it.each(RESTORING.map((event) => [nameOf(event), event] as const))(
    'lets no attempt go on after it has reported its end: %s',
    (_name, event) => {
      const evidence = history(happened(5200, event));
      evidence.attempts[0] = attempt(1, false);
      expect(judged(evidence)).toEqual([expect.stringMatching(/after it had lost its lease/)]);
    },
  );

  it('takes the claim of a fresh disk for a part of the restoration, and no other claim', () => {
    const claim = happened(6500, { type: 'claim', fence: 1, token: 't' });
    const discard = happened(6400, { type: 'power', action: 'discard', fence: 1, restoring: true });
    expect(judged(history(discard, claim))).toEqual([]);
    expect(judged(history(claim))).toHaveLength(1);
  });

  it('finds an action that names no fence, and one whose fence was given to no attempt', () => {
    expect(judged(history(happened(2000, command('grub-select', null))))).toEqual([
      'fake-a: grub-select names no fence',
    ]);
    expect(judged(history(happened(2000, command('grub-select', 7))))).toEqual([
      'fake-a: grub-select of fence 7, which no attempt has',
    ]);
  });

  it('finds the boot of a kernel after a newer attempt has begun', () => {
    const up = happened(7000, { type: 'up', kernel: 'candidate', bootId: 'b', commandLine: '' }, NONCE);
    expect(judged(history(up))).toEqual([]);
    expect(judged(history(happened(6500, { type: 'claim', fence: 2, token: 'u' }), up))).toEqual([
      'fake-a: the kernel of fence 1 booted after work of fence 2',
    ]);
  });

  it('excuses one action of a process that was frozen while its lease ran out, at once after it woke up', () => {
    const frozen = [{ fromMs: 4000, toMs: 7000 }];
    const select = (atMs: number): Truth => happened(atMs, command('grub-select', 1));
    expect(judged(history(select(7100)), frozen)).toEqual([]);
    expect(judged(history(select(7100), select(7200)), frozen)).toHaveLength(1);
    expect(judged(history(select(12_000)), frozen)).toHaveLength(1);
    expect(judged(history(select(7100)), [{ fromMs: 5500, toMs: 7000 }])).toHaveLength(1);
    const newer = happened(7050, { type: 'claim', fence: 2, token: 'u' });
    expect(judged(history(newer, select(7100)), frozen)).toHaveLength(1);
  });
});
