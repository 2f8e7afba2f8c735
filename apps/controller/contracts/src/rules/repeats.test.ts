import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Verdict, VERDICTS } from '../schema/verdict.js';
import { repeatsText, verdictOfRepeats } from './repeats.js';
import { isConclusive } from './verdict.js';

const verdict = fc.constantFrom(...VERDICTS);
const verdicts = fc.array(verdict, { maxLength: 6 });

describe('repeats on one kernel and combination', () => {
  it.each<[Verdict[], Verdict | null]>([
    [[], null],
    [['pass'], null],
    [['pass', 'pass'], null],
    [['fail', 'fail'], null],
    [['fail', 'bounced'], null],
    [['crash', 'fail'], null],
    [['pass', 'infra', 'skip', 'not-reached', 'canceled'], null],
    [['pass', 'fail'], 'flaky'],
    [['bounced', 'pass', 'infra'], 'flaky'],
    [['pass', 'tainted'], 'flaky'],
    [['flaky', 'pass'], 'flaky'],
    [['pass', 'crash'], 'crash'],
    [['pass', 'fail', 'crash'], 'crash'],
  ])('%j is %s', (given, expected) => {
    expect(verdictOfRepeats(given)).toBe(expected);
  });

  it('do not depend on the order, on repetition, or on what says nothing of the kernel', () => {
    fc.assert(
      fc.property(verdicts, verdicts, (some, more) => {
        const judged = verdictOfRepeats(some);
        expect(verdictOfRepeats(some.toReversed())).toBe(judged);
        expect(verdictOfRepeats([...some, ...some])).toBe(judged);
        expect(verdictOfRepeats([...some, ...more.filter((each) => !isConclusive(each))])).toBe(judged);
      }),
    );
  });

  it('contradict each other for good: further results never make them agree', () => {
    fc.assert(
      fc.property(verdicts, verdict, (some, next) => {
        const [before, after] = [verdictOfRepeats(some), verdictOfRepeats([...some, next])];
        if (before !== null) expect(after).not.toBeNull();
        if (before === 'crash') expect(after).toBe('crash');
      }),
    );
  });

  it('say how many passed, of those that say something of the kernel', () => {
    expect(repeatsText(['pass', 'fail', 'infra', 'pass'], null)).toBe('passed 2 of 3');
    expect(repeatsText(['fail', 'pass'], 'byte 3 differs')).toBe('passed 1 of 2: byte 3 differs');
  });
});
