import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Verdict, VERDICTS } from '../schema/verdict.js';
import { judgeRepeats, verdictOfRepeats } from './repeats.js';
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

  it('name how many passed, of those that say something of the kernel, and the result that did not', () => {
    const of = (...all: [Verdict, string | null][]) =>
      judgeRepeats(all.map(([verdict, reason]) => ({ verdict, reason })));
    expect(of(['pass', null], ['infra', 'no power'], ['fail', 'byte 3 differs'], ['pass', null])).toEqual({
      verdict: 'flaky',
      reason: 'passed 2 of 3: byte 3 differs',
      evidence: 2,
    });
    expect(of(['fail', 'one'], ['crash', 'oops'], ['pass', null])).toEqual({
      verdict: 'crash',
      reason: 'passed 1 of 3: oops',
      evidence: 1,
    });
    expect(of(['tainted', null], ['pass', null])?.reason).toBe('passed 1 of 2');
    expect(of(['fail', 'one'], ['fail', 'two'])).toBeNull();
  });
});
