import type { ExpectedStart } from '@peerlab/contracts';
import { expect, it } from 'vitest';
import { startSummary } from './start-summary.js';

const at = (machine: string, when: ExpectedStart['when'], inMs: number | null = null) => ({
  machines: [machine],
  machinesTotal: 1,
  start: { when, inMs, text: '', lastSeenAt: null },
});

it('says in one line when a run would begin', () => {
  expect(startSummary([at('a', 'now', 0), at('a', 'queue', 9), at('b', 'now', 0)])).toBe('starts now on 2 machines');
  expect(startSummary([at('a', 'now', 0), at('b', 'blocked')])).toBe(
    'starts now on 1 machine; 1 machine cannot take it yet',
  );
  expect(startSummary([at('a', 'queue', 900_000), at('b', 'queue', 360_000)])).toBe('first test in about 6 min');
  expect(startSummary([at('a', 'build', 540_000)])).toBe('first test in about 9 min, when its kernel is built');
  expect(startSummary([at('a', 'queue')])).toBe('starts later; no comparable run has ended yet to estimate the time');
  expect(startSummary([at('a', 'blocked'), at('b', 'blocked')])).toBe('no machine can take it yet');
});
