import { RetentionPolicy, type StorageUse } from '@peerlab/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { levelOf } from '../storage/level.js';
import { planRemovals, type Candidate } from './plan.js';

const NOW = new Date('2026-11-22T12:00:00Z');
const DAY = 24 * 3600 * 1000;
const POLICY = RetentionPolicy.parse({
  user: { logDays: 100, resultDays: 1000 },
  webhook: { logDays: 10, resultDays: 50 },
  artifactDays: 30,
  softBytes: 1000,
  hardBytes: 2000,
  freeBytes: 100,
});
const use = (usedBytes: number, freeBytes = 1e9): StorageUse => ({
  logBytes: usedBytes,
  artifactBytes: 0,
  otherBytes: 0,
  usedBytes,
  databaseBytes: usedBytes,
  freeBytes,
});
const candidate = (
  kind: Candidate['kind'],
  subject: string,
  days: number,
  bytes: number,
  trigger = 'user',
): Candidate => ({
  kind,
  subject,
  name: subject,
  trigger: kind === 'artifact' ? null : trigger,
  lastUsedAt: new Date(NOW.getTime() - days * DAY),
  lines: bytes,
  bytes,
});
const planned = (candidates: Candidate[], used: StorageUse): string[] =>
  planRemovals(candidates, used, POLICY, NOW).map(({ kind, subject, why }) => `${kind} ${subject} ${why}`);

describe('planRemovals', () => {
  it('keeps results longer than log lines, and runs of people longer than those of webhooks', () => {
    const candidates = [
      candidate('logs', 'person', 60, 10),
      candidate('logs', 'hook', 60, 10, 'webhook'),
      candidate('logs', 'young-hook', 9, 10, 'webhook'),
      candidate('logs', 'old-person', 101, 10),
      candidate('run', 'old-person', 101, 10),
      candidate('run', 'hook', 60, 10, 'webhook'),
      candidate('artifact', 'bundle', 31, 10),
      candidate('artifact', 'fresh', 29, 10),
    ];
    // The run takes its logs along.
    expect(planned(candidates, use(0))).toEqual(['logs old-person age', 'run hook age', 'artifact bundle age']);
  });

  it('above the soft limit removes the oldest first and no more than it takes', () => {
    const candidates = [
      candidate('logs', 'newer', 2, 300),
      candidate('artifact', 'middle', 3, 300),
      candidate('logs', 'oldest', 4, 300),
      candidate('run', 'oldest', 4, 300),
    ];
    expect(planned(candidates, use(1000))).toEqual([]);
    expect(planned(candidates, use(1001))).toEqual(['logs oldest space']);
    expect(planned(candidates, use(1500))).toEqual(['logs oldest space', 'artifact middle space']);
    expect(planned(candidates, use(9000))).toHaveLength(3);
  });

  it('makes room on a disk that something else fills', () => {
    expect(planned([candidate('artifact', 'old', 2, 50), candidate('artifact', 'older', 3, 50)], use(10, 70))).toEqual([
      'artifact older space',
    ]);
  });

  it('leaves an upload alone that nobody can have named yet', () => {
    expect(planned([candidate('artifact', 'now', 0.01, 5000)], use(9000))).toEqual([]);
  });

  it('never removes more or newer than needed, and counts what goes by age', () => {
    const some = fc.record({
      kind: fc.constantFrom('logs' as const, 'run' as const, 'artifact' as const),
      days: fc.integer({ min: 1, max: 1500 }),
      bytes: fc.integer({ min: 1, max: 500 }),
      trigger: fc.constantFrom('user', 'webhook'),
    });
    fc.assert(
      fc.property(fc.array(some, { maxLength: 30 }), fc.integer({ min: 0, max: 6000 }), (list, used) => {
        const candidates = list.map(({ kind, days, bytes, trigger }, index) =>
          candidate(kind, `s${index}`, days, bytes, trigger),
        );
        const removals = planRemovals(candidates, use(used), POLICY, NOW);
        expect(new Set(removals.map(({ subject }) => subject)).size).toBe(removals.length);
        const bySpace = removals.filter(({ why }) => why === 'space');
        const freed = (of: typeof removals): number => of.reduce((sum, { bytes }) => sum + bytes, 0);
        // Without the last of them it would still be above.
        if (bySpace.length > 0) expect(used - freed(removals.slice(0, -1))).toBeGreaterThan(POLICY.softBytes);
        const left = candidates.filter(
          ({ subject, kind }) => kind !== 'run' && !removals.some((r) => r.subject === subject),
        );
        if (used - freed(removals) > POLICY.softBytes) expect(left).toEqual([]);
        const newest = Math.max(0, ...bySpace.map(({ lastUsedAt }) => Date.parse(lastUsedAt)));
        for (const { lastUsedAt } of left)
          if (bySpace.length > 0) expect(lastUsedAt.getTime()).toBeGreaterThanOrEqual(newest);
      }),
      { numRuns: 300 },
    );
  });
});

describe('levelOf', () => {
  it('is full at the hard limit and when the disk has no room, soft above the soft limit', () => {
    expect(levelOf(use(1000), POLICY)).toBe('ok');
    expect(levelOf(use(1001), POLICY)).toBe('soft');
    expect(levelOf(use(2000), POLICY)).toBe('full');
    expect(levelOf(use(1, 99), POLICY)).toBe('full');
  });
});

describe('RetentionPolicy', () => {
  it('has defaults, and refuses limits that contradict each other', () => {
    expect(RetentionPolicy.parse({})).toMatchObject({ user: { logDays: 180 }, webhook: { resultDays: 730 } });
    expect(RetentionPolicy.safeParse({ softBytes: 10, hardBytes: 10 }).success).toBe(false);
    expect(RetentionPolicy.safeParse({ user: { logDays: 10, resultDays: 5 } }).success).toBe(false);
    expect(RetentionPolicy.safeParse({ nightly: { logDays: 10, resultDays: 50 } }).success).toBe(false);
  });
});
