import { describe, expect, it } from 'vitest';
import { countAll, type VerdictSequence } from './flakiness.js';

const sequence = (times: number, ...attempts: [tests: string[], verdicts: string][]): VerdictSequence => ({
  suite: 's',
  attempts: attempts.map(([tests, verdicts]) => ({ tests, verdicts })),
  times,
});
const both = ['one', 'two'];

describe('flips of all tests', () => {
  it('are summed up over kernels and combinations, the most first, and never across two of them', () => {
    const tests = countAll([
      sequence(3, [both, 'PP'], [both, 'PF']),
      sequence(1, [both, 'FP'], [both, 'FP'], [both, 'PP']),
    ]);
    expect(tests).toEqual([
      { suite: 's', test: 'two', flips: 3, chances: 5 },
      { suite: 's', test: 'one', flips: 1, chances: 5 },
    ]);
  });
  it('follow a test by its name where attempts ran different lists of tests', () => {
    expect(countAll([sequence(1, [both, 'PP'], [['two'], 'F'], [both, 'PP'])])).toEqual([
      { suite: 's', test: 'two', flips: 2, chances: 2 },
      { suite: 's', test: 'one', flips: 0, chances: 1 },
    ]);
  });
  it('leave out tests that had no chance', () => {
    expect(countAll([sequence(9, [both, 'PS'], [both, 'IS'])])).toEqual([]);
  });
});
