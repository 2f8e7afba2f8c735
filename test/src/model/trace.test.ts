import { describe, expect, it } from 'vitest';
import { type HarnessFault, type Place, refuse, type TraceEvent } from './trace.js';

const NONE = new Set<HarnessFault>();
const claim = (fence: Place): TraceEvent => ({ kind: 'claim', fence });
const accept = (fence: Place): TraceEvent => ({ kind: 'accept', fence });
const begin = (fence: Place): TraceEvent => ({ kind: 'begin', fence });
const work = (fence: Place, tests = false): TraceEvent => ({ kind: 'work', fence, tests });
const restore = (fence: Place): TraceEvent => ({ kind: 'restore', fence });
const logComplete = (fence: Place): TraceEvent => ({ kind: 'log-complete', fence });
const revoked = (fence: Place): TraceEvent => ({ kind: 'end', fence, revoked: true, finished: false, restored: null });
const finished = (fence: Place, restored: boolean | null = true): TraceEvent => ({
  kind: 'end',
  fence,
  revoked: false,
  finished: true,
  restored,
});
const lateEnd = (fence: Place, restored: boolean | null = true): TraceEvent => ({ kind: 'late-end', fence, restored });

/** An attempt that passes. */
const PASS = (fence: Place): TraceEvent[] => [
  claim(fence),
  accept(fence),
  begin(fence),
  work(fence),
  work(fence, true),
  restore(fence),
  logComplete(fence),
  finished(fence),
];
/** One that loses its lease while it tests, and the next one. */
const REVOKED: TraceEvent[] = [
  claim(1),
  accept(1),
  begin(1),
  work(1),
  work(1, true),
  revoked(1),
  restore(1),
  claim(2),
  logComplete(1),
  lateEnd(1),
  accept(2),
  begin(2),
  work(2),
  work(2, true),
  restore(2),
  logComplete(2),
  finished(2),
];

const SOUND: [string, TraceEvent[], ReadonlySet<HarnessFault>][] = [
  ['an attempt that passes', PASS(1), NONE],
  ['a lease that ran out while the connection was down', REVOKED, NONE],
  [
    'a kill of the agent',
    [claim(1), accept(1), begin(1), work(1), restore(1), logComplete(1), finished(1)],
    new Set<HarnessFault>(['FAULT the agent is killed']),
  ],
  ['a failure before anything was done', [claim(1), accept(1), logComplete(1), finished(1)], NONE],
  ['a decline', [claim(1), revoked(1), ...PASS(2)], NONE],
  [
    'a cancellation',
    [claim(1), accept(1), begin(1), { kind: 'cancel' }, restore(1), logComplete(1), finished(1)],
    NONE,
  ],
  [
    'a machine that could not be restored, and was mended',
    [...REVOKED.slice(0, 6), logComplete(1), lateEnd(1, false), { kind: 'mend' }, ...PASS(2)],
    NONE,
  ],
];

/** Only an agent that lost its disk forgets an attempt that it accepted. */
const AGAIN: TraceEvent = { kind: 'assign-again', fence: 1 };

/** A trace of REVOKED that was changed, and the event that shows it. */
const at = (event: TraceEvent): number => REVOKED.findIndex((one) => JSON.stringify(one) === JSON.stringify(event));
const moved = (event: TraceEvent, to: number): TraceEvent[] => {
  const rest = REVOKED.filter((one) => one !== REVOKED[at(event)]);
  return [...rest.slice(0, to), event, ...rest.slice(to)];
};
const DOCTORED: [string, TraceEvent[], TraceEvent][] = [
  ['a machine that is claimed twice', moved(claim(2), 3), claim(2)],
  ['the next attempt at work under the fence of the first', REVOKED.with(at(work(2)), work(1)), work(1)],
  ['the fences of two attempts swapped at the machine', REVOKED.with(at(begin(1)), begin(2)), begin(2)],
  ['work after the lease was revoked', moved(work(1), at(revoked(1))), work(1)],
  ['tests after the lease was revoked', moved(work(1, true), at(revoked(1))), work(1, true)],
  ['a revoked attempt that decides the job', REVOKED.with(at(lateEnd(1)), finished(1)), finished(1)],
  ['an attempt that ends twice', REVOKED.toSpliced(at(revoked(1)) + 1, 0, revoked(1)), revoked(1)],
  ['an end that is reported twice', [...REVOKED, lateEnd(1)], lateEnd(1)],
  ['an end before all lines are stored', PASS(1).toSpliced(6, 1), finished(1)],
  [
    'an attempt that did nothing and could not restore the machine',
    [claim(1), accept(1), logComplete(1), finished(1, false)],
    finished(1, false),
  ],
  ['work before the machine has the fence', moved(work(1), at(begin(1))), work(1)],
  ['an attempt that begins before it was claimed', moved(begin(2), at(claim(2))), begin(2)],
  [
    'restoring after a newer attempt has begun',
    [...REVOKED.slice(0, at(lateEnd(1))), accept(2), begin(2), restore(1)],
    restore(1),
  ],
  ['a second attempt of a job that was decided', [...PASS(1), claim(2)], claim(2)],
  ['an attempt that its agent forgot', [claim(1), accept(1), AGAIN, accept(1)], AGAIN],
  [
    'a claim of a machine in quarantine',
    [...REVOKED.slice(0, 6), logComplete(1), lateEnd(1, false), claim(2)],
    claim(2),
  ],
];

describe('a trace that the model accepts', () => {
  it.each(SOUND)('is that of %s', (_name, events, faults) => {
    expect(refuse(events, faults)).toBeNull();
  });
});

describe('a doctored trace is refused', () => {
  it.each(DOCTORED)('%s', (_name, events, event) => {
    expect(refuse(events, NONE)).toMatchObject({ event });
  });
});
