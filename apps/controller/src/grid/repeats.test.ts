import { judgeRepeats, VERDICT_BY_LETTER, VERDICT_TABLE, VERDICTS } from '@peerlab/contracts';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { sumUpRepeats } from './repeats.js';

const TESTS = ['t0', 't1', 't2', 't3'];

/** A line with some of the tests; half of them share the array of all tests, as those of one list do. */
const line = fc
  .tuple(fc.boolean(), fc.array(fc.constantFrom(...VERDICTS), { minLength: 4, maxLength: 4 }), fc.nat(15))
  .map(([isWhole, verdicts, set]) => {
    const tests = isWhole ? TESTS : TESTS.filter((_, place) => (set & (1 << place)) !== 0);
    const letters = tests.map((_, place) => VERDICT_TABLE[verdicts[place] ?? 'pass'].letter);
    return {
      tests,
      verdicts: letters.join(''),
      reasons: Object.fromEntries(
        letters.flatMap((letter, place) => (letter === 'P' ? [] : [[place, `why ${letter}`]])),
      ),
    };
  });

it('gives each test of the newest line the verdict and the reason of the rule, or else its own', () => {
  fc.assert(
    fc.property(line, fc.array(line, { maxLength: 3 }), (newest, older) => {
      const summed = sumUpRepeats(newest, older);
      expect(summed.tests).toBe(newest.tests);
      for (const [place, test] of newest.tests.entries()) {
        const repeats = [newest, ...older].flatMap(({ tests, verdicts, reasons }) => {
          const verdict = VERDICT_BY_LETTER.get(verdicts[tests.indexOf(test)] ?? '');
          return verdict === undefined ? [] : [{ verdict, reason: reasons[tests.indexOf(test)] ?? null }];
        });
        const judged = judgeRepeats(repeats);
        const own = { verdict: VERDICT_BY_LETTER.get(newest.verdicts[place] ?? ''), reason: newest.reasons[place] };
        expect(VERDICT_BY_LETTER.get(summed.verdicts[place] ?? '')).toBe(judged?.verdict ?? own.verdict);
        expect(summed.reasons[place]).toBe(judged?.reason ?? own.reason);
      }
    }),
  );
});

it('adds no reasons where none are wanted', () => {
  const of = (verdicts: string) => ({ tests: TESTS, verdicts });
  expect(sumUpRepeats(of('PPXF'), [of('PFPF')])).toEqual({ tests: TESTS, verdicts: 'P~XF' });
});
