import { countFlips, VERDICT_TABLE, VERDICTS } from '@peerlab/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countAll, type VerdictSequence } from './flakiness.js';

const both = ['one', 'two'];
const sequence = (...attempts: [tests: string[], verdicts: string][]): VerdictSequence =>
  attempts.map(([tests, verdicts]) => ({ suite: 's', tests, positions: tests.map(() => 0), verdicts }));

describe('flips of all tests', () => {
  it('are summed up over kernels and combinations, the most first, and never across two of them', () => {
    const tests = countAll([
      sequence([both, 'PP'], [both, 'PF']),
      sequence([both, 'PP'], [both, 'PF']),
      sequence([both, 'FP'], [both, 'FP'], [both, 'PP']),
    ]);
    expect(tests).toEqual([
      { suite: 's', test: 'two', flips: 2, chances: 4 },
      { suite: 's', test: 'one', flips: 1, chances: 4 },
    ]);
  });
  it('follow a test by its name where attempts ran different lists of tests', () => {
    expect(countAll([sequence([both, 'PP'], [['two'], 'F'], [both, 'PP'])])).toEqual([
      { suite: 's', test: 'two', flips: 2, chances: 2 },
      { suite: 's', test: 'one', flips: 0, chances: 1 },
    ]);
  });
  it('leave out tests that had no chance', () => {
    expect(countAll([sequence([both, 'PS'], [both, 'IS'])])).toEqual([]);
  });
  it('are those of the rule', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...VERDICTS), { maxLength: 20 }), (verdicts) => {
        const attempts = verdicts.map((verdict): [string[], string] => [['t'], VERDICT_TABLE[verdict].letter]);
        const [found] = countAll([sequence(...attempts)]);
        expect({ flips: found?.flips ?? 0, chances: found?.chances ?? 0 }).toEqual(countFlips(verdicts));
      }),
    );
  });
});
