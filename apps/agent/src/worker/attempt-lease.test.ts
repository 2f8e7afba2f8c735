import fc from 'fast-check';
import { eventually } from '@peerlab/controller/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { JobFailure } from '../job/failure.js';
import { AttemptLease, HeartbeatLog, bootClockMs } from './attempt-lease.js';

const LEASE_MS = 30_000;

/** A lease with a clock that stands still unless it is told to go on. */
function leaseAt(startMs = 1_000) {
  const state = { nowMs: startMs, lost: [] as JobFailure[] };
  const lease = new AttemptLease(
    (problem) => state.lost.push(problem),
    () => state.nowMs,
  );
  const mayAct = (): boolean => {
    try {
      lease.check();
      return true;
    } catch {
      return false;
    }
  };
  return { lease, state, mayAct };
}

afterEach(() => {
  vi.useRealTimers();
});

describe('a lease at its agent', () => {
  it('begins with the first renewal, and counts from when the report was sent', () => {
    const { lease, state, mayAct } = leaseAt();
    expect(mayAct()).toBe(false);
    expect(state.lost).toEqual([]);
    state.nowMs = 20_000;
    lease.renew(1_000, LEASE_MS);
    expect(mayAct()).toBe(true);
    state.nowMs = 1_000 + 0.9 * LEASE_MS - 1;
    expect(mayAct()).toBe(true);
    state.nowMs += 1;
    expect(mayAct()).toBe(false);
    expect(state.lost).toHaveLength(1);
    lease.close();
  });

  it('never comes back once it ran out, whatever is answered then', () => {
    const { lease, state, mayAct } = leaseAt();
    lease.renew(1_000, LEASE_MS);
    state.nowMs += LEASE_MS;
    lease.renew(state.nowMs, LEASE_MS);
    expect(mayAct()).toBe(false);
    expect(state.lost).toHaveLength(1);
  });

  it('tells its job in time, by itself', () => {
    vi.useFakeTimers();
    const { lease, state } = leaseAt();
    lease.renew(1_000, LEASE_MS);
    // The computer was suspended for a while: its timer is late by the clock, not early.
    state.nowMs += 10_000;
    lease.renew(6_000, LEASE_MS);
    state.nowMs += 24_000;
    vi.advanceTimersByTime(24_000);
    expect(state.lost.map(({ message }) => message)).toEqual([expect.stringContaining('the lease ran out')]);
  });

  it('does not run out for a job that is over', () => {
    vi.useFakeTimers();
    const { lease, state } = leaseAt();
    lease.renew(1_000, LEASE_MS);
    lease.close();
    state.nowMs += 2 * LEASE_MS;
    vi.advanceTimersByTime(2 * LEASE_MS);
    expect(state.lost).toEqual([]);
  });

  it('lets its job wait for its beginning, or for whatever ends the job before', async () => {
    const { lease } = leaseAt();
    const stop = new AbortController();
    const begun = lease.whenBegun(stop.signal);
    lease.renew(1_000, LEASE_MS);
    await begun;
    const never = leaseAt().lease.whenBegun(stop.signal);
    stop.abort();
    await never;
    lease.close();
  });

  it('ends before it ends at the controller, however slow reports and answers are', () => {
    const beat = fc.record({
      /** Milliseconds from the report before, on the way to the controller, and back. */
      afterMs: fc.integer({ min: 0, max: 40_000 }),
      thereMs: fc.integer({ min: 0, max: 60_000 }),
      backMs: fc.integer({ min: 0, max: 60_000 }),
      answered: fc.boolean(),
    });
    const look = fc.integer({ min: 0, max: 400_000 });
    fc.assert(
      fc.property(
        fc.array(beat, { minLength: 1, maxLength: 12 }),
        fc.array(look, { maxLength: 30 }),
        (beats, looks) => {
          const { lease, state, mayAct } = leaseAt(0);
          let sentAt = 0;
          /** What happens, by time; the controller's lease as it is then. */
          const events: { at: number; act: () => void }[] = [];
          let expiresAt = 0;
          for (const { afterMs, thereMs, backMs, answered } of beats) {
            sentAt += afterMs;
            const [sent, arrived] = [sentAt, sentAt + thereMs];
            events.push({
              at: arrived,
              act: () => {
                expiresAt = Math.max(expiresAt, arrived + LEASE_MS);
              },
            });
            if (answered) events.push({ at: arrived + backMs, act: () => lease.renew(sent, LEASE_MS) });
          }
          for (const at of looks) {
            events.push({
              at,
              act: () => {
                if (mayAct()) expect(at).toBeLessThan(expiresAt);
              },
            });
          }
          for (const { at, act } of events.toSorted((a, b) => a.at - b.at)) {
            state.nowMs = at;
            act();
          }
          lease.close();
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('the numbers of reports', () => {
  it('remember when each was sent, for as long as an answer may be under way', () => {
    let nowMs = 5;
    const beats = new HeartbeatLog(() => nowMs);
    const first = beats.next();
    nowMs = 9;
    const second = beats.next();
    expect(second).toBe(first + 1);
    expect([beats.sentAt(first), beats.sentAt(second), beats.sentAt(second + 1)]).toEqual([5, 9, undefined]);
    for (let i = 0; i < 200; i += 1) beats.next();
    expect(beats.sentAt(first)).toBeUndefined();
  });
});

it('the clock of leases goes on', async () => {
  const before = bootClockMs();
  expect(before).toBeGreaterThan(0);
  await eventually('the clock to go on', () => bootClockMs() > before);
});
