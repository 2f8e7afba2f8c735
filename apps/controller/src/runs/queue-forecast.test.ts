import fc from 'fast-check';
import { aboutText } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';
import {
  durationsBySuites,
  forecastStarts,
  leftMs,
  medianMs,
  sharedSlots,
  type WaitingWork,
} from './queue-forecast.js';

const MACHINES = ['a', 'b', 'c'];
const work = fc.record({
  machines: fc.subarray(MACHINES),
  durationMs: fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 1, max: 900 }) }, fc.constant(Infinity)),
  readyInMs: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 900 })),
});
const known = work.map((each) => ({ ...each, durationMs: Math.min(each.durationMs, 1000) }));
const line = (of: typeof work) =>
  fc.array(of, { maxLength: 12 }).map((all) => all.map((each, id): WaitingWork => ({ ...each, id: String(id) })));
/** At most one per machine, as leases are. */
const running = fc
  .uniqueArray(fc.record({ machine: fc.constantFrom(...MACHINES), leftMs: fc.integer({ min: 1, max: 900 }) }), {
    selector: ({ machine }) => machine,
  })
  .map((all) => all.slice(0, 2));
const slots = fc.constantFrom(2, 3, 4, Infinity);

describe('forecastStarts', () => {
  it('says when it is the turn of a job on one machine: what runs, then what is ahead', () => {
    const on = (id: string, durationMs: number): WaitingWork => ({ id, machines: ['a'], durationMs, readyInMs: 0 });
    const starts = forecastStarts(
      [on('x', 50), on('y', 60), on('z', 10)],
      [{ machine: 'a', leftMs: 30 }],
      sharedSlots(Infinity),
    );
    expect([...starts]).toEqual([
      ['x', 30],
      ['y', 80],
      ['z', 140],
    ]);
  });

  it('starts a job on any of its machines that is free', () => {
    const any = (id: string): WaitingWork => ({ id, machines: ['a', 'b'], durationMs: 100, readyInMs: 0 });
    const starts = forecastStarts(
      [any('x'), any('y'), any('z')],
      [{ machine: 'a', leftMs: 30 }],
      sharedSlots(Infinity),
    );
    expect([...starts]).toEqual([
      ['x', 0],
      ['y', 30],
      ['z', 100],
    ]);
  });

  it('says it of every job, and never before that is ready', () => {
    fc.assert(
      fc.property(line(work), running, slots, (waiting, busy, limit) => {
        const starts = forecastStarts(waiting, busy, sharedSlots(limit));
        expect([...starts.keys()].toSorted()).toEqual(waiting.map(({ id }) => id).toSorted());
        for (const { id, readyInMs } of waiting) expect(starts.get(id)).toBeGreaterThanOrEqual(readyInMs);
      }),
    );
  });

  it('never puts two on a machine, nor more than there are slots', () => {
    fc.assert(
      fc.property(line(known), running, slots, (waiting, busy, limit) => {
        const starts = forecastStarts(waiting, busy, sharedSlots(limit));
        const spans = [
          ...busy.map(({ machine, leftMs: end }) => ({ machines: [machine], start: 0, end })),
          ...waiting.map(({ id, machines, durationMs }) => {
            const start = starts.get(id) ?? NaN;
            return { machines, start, end: start + durationMs };
          }),
        ];
        for (const { start } of spans) {
          const now = spans.filter((span) => span.start <= start && start < span.end);
          expect(now.length).toBeLessThanOrEqual(limit);
          // Any number of those that need a machine has as many machines among them.
          for (const some of [...fc.sample(fc.subarray(now), 5), now]) {
            const needing = some.filter(({ machines }) => machines.length > 0);
            expect(new Set(needing.flatMap(({ machines }) => machines)).size).toBeGreaterThanOrEqual(needing.length);
          }
        }
      }),
    );
  });

  it('leaves no ready job waiting while its machine and a slot are free, and keeps the order on a machine', () => {
    fc.assert(
      fc.property(line(known), running, slots, (waiting, busy, limit) => {
        const starts = forecastStarts(waiting, busy, sharedSlots(limit));
        const startOf = ({ id }: WaitingWork): number => starts.get(id) ?? NaN;
        const ends = [
          0,
          ...busy.map(({ leftMs: end }) => end),
          ...waiting.map((each) => startOf(each) + each.durationMs),
        ];
        for (const job of waiting) {
          // It starts when it gets ready or when something ends: at no other time anything changes.
          expect([...ends, job.readyInMs]).toContain(startOf(job));
        }
        waiting.forEach((job, at) => {
          for (const later of waiting.slice(at + 1)) {
            if (later.machines.join() !== job.machines.join() || later.readyInMs < job.readyInMs) continue;
            expect(startOf(later)).toBeGreaterThanOrEqual(startOf(job));
          }
        });
      }),
    );
  });

  it('does not know what comes after something of unknown duration', () => {
    fc.assert(
      fc.property(line(known), (waiting) => {
        const first: WaitingWork = { id: 'first', machines: ['a'], durationMs: Infinity, readyInMs: 0 };
        const starts = forecastStarts([first, ...waiting], [], sharedSlots(Infinity));
        for (const { id, machines } of waiting) {
          if (machines.join() === 'a') expect(starts.get(id)).toBe(Infinity);
          if (!machines.includes('a')) expect(starts.get(id)).toBeLessThan(Infinity);
        }
        // Where slots are shared, the end of it could let any of them start.
        const shared = forecastStarts([first, ...waiting], [], sharedSlots(2));
        for (const { id } of waiting) expect([0, Infinity]).toContain(shared.get(id));
      }),
    );
  });

  it('tells nobody when there is no slot at all', () => {
    const waiting = [{ id: 'x', machines: [], durationMs: 5, readyInMs: 0 }];
    expect([...forecastStarts(waiting, [], sharedSlots(0))]).toEqual([['x', Infinity]]);
  });
});

it('expects what the same suites took, there or elsewhere', () => {
  const durationOf = durationsBySuites([
    { machine: 'a', suites: ['f', 'p'], ms: 100 },
    { machine: 'a', suites: ['p', 'f'], ms: 300 },
    { machine: 'b', suites: ['f', 'p'], ms: 900 },
    { machine: 'b', suites: ['f'], ms: 7 },
  ]);
  expect(durationOf('a', ['f', 'p'])).toBe(200);
  expect(durationOf('b', ['p', 'f'])).toBe(900);
  expect(durationOf('c', ['f', 'p'])).toBe(300);
  expect(durationOf('a', ['f'])).toBe(7);
  expect(durationOf('a', ['x'])).toBe(Infinity);
  expect(medianMs([])).toBe(Infinity);
});

it('expects a late attempt to end soon, but not at once', () => {
  expect(leftMs(1000, 400)).toBe(600);
  expect(leftMs(1000, 5000)).toBe(100);
  expect(leftMs(Infinity, 5000)).toBe(Infinity);
});

it('speaks of it roughly', () => {
  const texts = [null, Infinity, 0, 29_000, 31_000, 370_000, 99 * 60_000, 100 * 60_000, 47 * 3_600_000, 72 * 3_600_000];
  expect(texts.map(aboutText)).toEqual([
    '',
    '',
    'less than a minute',
    'less than a minute',
    'about 1 min',
    'about 6 min',
    'about 99 min',
    'about 2 h',
    'about 47 h',
    'about 3 days',
  ]);
});
