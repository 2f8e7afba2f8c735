import { RetentionPolicy, type RetentionPlan } from '@peerlab/contracts';
import { expect, it } from 'vitest';
import { bytesText, renderPlan, renderView } from './retention.js';

const policy = RetentionPolicy.parse({});
const use = {
  logBytes: 3 * 1024 ** 3,
  artifactBytes: 1024 ** 3,
  otherBytes: 1024 ** 2,
  usedBytes: 4 * 1024 ** 3 + 1024 ** 2,
  databaseBytes: 5 * 1024 ** 3,
  freeBytes: 9 * 1024 ** 3,
};
const run = '00000000-0000-4000-8000-000000000000';
const plan: RetentionPlan = {
  level: 'soft',
  use,
  removals: [
    {
      kind: 'logs',
      subject: run,
      name: 'nightly',
      lastUsedAt: '2026-05-01T00:00:00.000Z',
      why: 'age',
      lines: 12_345,
      bytes: 1_500_000,
    },
    {
      kind: 'artifact',
      subject: 'a'.repeat(64),
      name: 'bundle 7.3.4',
      lastUsedAt: '2026-05-02T00:00:00.000Z',
      why: 'space',
      lines: 0,
      bytes: 30_000_000,
    },
  ],
  usedBytesAfter: use.usedBytes - 31_500_000,
};

it('says what would go, how much and why, and never that it went', () => {
  const text = renderPlan(plan, policy, true);
  expect(text).toContain('above the soft limit: the oldest evidence goes');
  expect(text).toMatch(
    /logs +00000000-0000-4000-8000-000000000000 +2026-05-01T00:00:00.000Z +age +12345 +1.4 MiB +nightly/,
  );
  expect(text).toContain('2 would be removed, 30.0 MiB; used afterwards: 4.0 GiB');
  expect(renderPlan({ ...plan, removals: [] }, policy, false)).toMatch(/\n0 removed, 0 B/);
});

it('shows limits, pins and what was removed', () => {
  const text = renderView({
    policy,
    level: 'full',
    use,
    measuredAt: '2026-11-22T00:00:00.000Z',
    pins: [{ run, name: 'paper', by: 'tester', reason: 'for the paper', pinnedAt: '2026-11-22T00:00:00.000Z' }],
    deletions: [
      {
        removedAt: '2026-11-21T00:00:00.000Z',
        kind: 'run',
        subject: run,
        name: 'old',
        why: 'age',
        lines: 3,
        bytes: 10,
      },
    ],
  });
  expect(text).toContain('full: new runs are refused');
  expect(text).toContain('runs by webhook: logs 60 days, results 730 days');
  expect(text).toMatch(/tester +for the paper +paper/);
  expect(text).toMatch(/2026-11-21T00:00:00.000Z +run +00000000-0000-4000-8000-000000000000 +age +10 B +old/);
});

it('names bytes as people read them', () => {
  expect([0, 1023, 1024, 1536, 5 * 1024 ** 4].map(bytesText)).toEqual([
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 KiB',
    '5.0 TiB',
  ]);
});
