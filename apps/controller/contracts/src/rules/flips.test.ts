import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isConclusive } from './verdict.js';
import { countFlips } from './flips.js';
import { type Verdict, VERDICTS } from '../schema/verdict.js';

const verdict = fc.constantFrom(...VERDICTS);
const line = fc.array(verdict, { maxLength: 20 });
const inconclusive = VERDICTS.filter((each) => !isConclusive(each));

describe('flips', () => {
  it.each<[string, Verdict[], number, number]>([
    ['nothing', [], 0, 0],
    ['one result', ['fail'], 0, 0],
    ['in turn', ['pass', 'fail', 'pass', 'fail'], 3, 3],
    ['always wrong', ['fail', 'fail', 'fail'], 0, 2],
    ['the lab in between', ['pass', 'infra', 'not-reached', 'fail'], 1, 1],
    ['a verdict that is no pass and becomes another one', ['fail', 'crash'], 1, 1],
  ])('of %s', (_, verdicts, flips, chances) => {
    expect(countFlips(verdicts)).toEqual({ flips, chances });
  });

  it('are never more than the chances, and the same backwards', () => {
    fc.assert(
      fc.property(line, (verdicts) => {
        const { flips, chances } = countFlips(verdicts);
        expect(flips).toBeLessThanOrEqual(chances);
        expect(countFlips(verdicts.toReversed())).toEqual({ flips, chances });
      }),
    );
  });
  it('are none where every conclusive verdict is the same', () => {
    fc.assert(
      fc.property(verdict, fc.nat(20), (each, length) => {
        expect(countFlips(Array.from({ length }, () => each)).flips).toBe(0);
      }),
    );
  });
  it('do not change by results that say nothing of the kernel', () => {
    fc.assert(
      fc.property(line, fc.nat(20), fc.constantFrom(...inconclusive), (verdicts, at, noise) => {
        expect(countFlips(verdicts.toSpliced(at, 0, noise))).toEqual(countFlips(verdicts));
      }),
    );
  });
  it('grow by one at most with another result', () => {
    fc.assert(
      fc.property(line, verdict, (verdicts, next) => {
        const grown = countFlips([...verdicts, next]).flips - countFlips(verdicts).flips;
        expect([0, 1]).toContain(grown);
      }),
    );
  });
});
