import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AGEING_MINUTES,
  compareQueued,
  effectivePriority,
  OVERTAKEN_AT_MOST_MS,
  type QueuedJob,
} from './queue-order.js';

const STEP_MS = AGEING_MINUTES * 60_000;
const T0 = 1_763_800_000_000;

const job = fc.record({
  id: fc.uuid(),
  priority: fc.integer({ min: 0, max: 100 }),
  // Whole steps now and then, so that jobs of different priority meet at the same place.
  queuedAtMs: fc.oneof(
    fc.integer({ min: T0, max: T0 + 6 * 3_600_000 }),
    fc.integer({ min: 0, max: 200 }).map((steps) => T0 + steps * STEP_MS),
  ),
  position: fc.integer({ min: 0, max: 5 }),
});
const jobs = fc.uniqueArray(job, { selector: ({ id }) => id, minLength: 2, maxLength: 30 });

const plain = (more: Partial<QueuedJob>): QueuedJob => ({
  id: 'a',
  priority: 50,
  queuedAtMs: T0,
  position: 0,
  ...more,
});

describe('the order of the queue', () => {
  it('rises by one for each AGEING_MINUTES of waiting', () => {
    const waiting = plain({ priority: 10 });
    expect(effectivePriority(waiting, T0)).toBe(10);
    expect(effectivePriority(waiting, T0 + STEP_MS)).toBe(11);
    expect(effectivePriority(waiting, T0 + 100 * STEP_MS)).toBe(110);
  });

  it('puts priority first among jobs of one age, and age first among jobs of one priority', () => {
    expect(compareQueued(plain({ priority: 51 }), plain({ id: 'b' }))).toBeLessThan(0);
    expect(compareQueued(plain({ queuedAtMs: T0 - 1 }), plain({ id: 'b' }))).toBeLessThan(0);
    expect(compareQueued(plain({ position: 1 }), plain({ id: 'b' }))).toBeGreaterThan(0);
    expect(compareQueued(plain({ id: 'b' }), plain({}))).toBeGreaterThan(0);
    expect(compareQueued(plain({}), plain({}))).toBe(0);
  });

  it('is the order of the effective priority, at every moment', () => {
    fc.assert(
      fc.property(jobs, fc.integer({ min: 0, max: 48 * 3_600_000 }), (all, laterMs) => {
        const nowMs = T0 + 6 * 3_600_000 + laterMs;
        const ordered = all.toSorted(compareQueued);
        for (const [index, next] of ordered.slice(1).entries()) {
          const before = ordered[index];
          if (before === undefined) throw new Error('unreachable');
          expect(effectivePriority(before, nowMs)).toBeGreaterThanOrEqual(effectivePriority(next, nowMs) - 1e-6);
        }
      }),
    );
  });

  it('is the same order whatever it begins with', () => {
    fc.assert(
      fc.property(jobs, (all) => {
        expect(all.toReversed().toSorted(compareQueued)).toEqual(all.toSorted(compareQueued));
      }),
    );
  });
});

describe('no job starves', () => {
  it('a job is overtaken only by those that came within a bounded time after it', () => {
    fc.assert(
      fc.property(job, job, fc.integer({ min: 0, max: 10_000_000 }), (waiting, other, afterMs) => {
        const late = { ...other, queuedAtMs: waiting.queuedAtMs + OVERTAKEN_AT_MOST_MS + 1 + afterMs };
        expect(compareQueued(waiting, late)).toBeLessThan(0);
      }),
    );
  });

  it('under a stream of more important jobs that never ends, every job gets its turn', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 100 }),
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 1, maxLength: 10 }),
        (priority, minutesPerJob, stream) => {
          const queue: QueuedJob[] = [plain({ id: 'patient', priority })];
          // One machine; whenever it takes a job, two more arrive.
          for (let taken = 0; ; taken += 1) {
            const nowMs = T0 + taken * minutesPerJob * 60_000;
            for (const twin of [0, 1]) {
              const arriving = stream[(2 * taken + twin) % stream.length] ?? 0;
              queue.push(plain({ id: `s${taken}.${twin}`, priority: arriving, queuedAtMs: nowMs }));
            }
            queue.sort(compareQueued);
            if (queue.shift()?.id === 'patient') return;
            // All that may go first came in OVERTAKEN_AT_MOST_MS, two in each turn.
            expect(taken).toBeLessThanOrEqual(2 * (OVERTAKEN_AT_MOST_MS / 60_000 / minutesPerJob + 1));
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
