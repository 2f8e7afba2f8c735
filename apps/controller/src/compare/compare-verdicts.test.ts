import {
  CHANGE_CLASSES,
  classOfChange,
  isConclusive,
  VERDICT_TABLE,
  VERDICTS,
  verdictOfRepeats,
  worstVerdict,
  type ChangeClass,
  type Verdict,
} from '@peerlab/contracts';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compareVerdicts, type ComparedCell, type SideVerdicts } from './compare-verdicts.js';

const TESTS = ['t0', 't1', 't2', 't3'];
const HASHES = ['h0', 'h1'];

/** An attempt's suite with some of the tests. */
const attempt = fc
  .record({
    suite: fc.constantFrom('one', 'two'),
    combination: fc.constantFrom(...HASHES, 'unknown'),
    verdicts: fc.array(fc.option(fc.constantFrom(...VERDICTS), { nil: null }), {
      minLength: TESTS.length,
      maxLength: TESTS.length,
    }),
  })
  .map(({ suite, combination, verdicts }) => {
    const have = verdicts.flatMap((verdict, place) => (verdict === null ? [] : [{ verdict, place }]));
    return {
      suite,
      combination,
      tests: have.map(({ place }) => TESTS[place] ?? ''),
      positions: have.map(({ place }) => place),
      verdicts: have.map(({ verdict }) => VERDICT_TABLE[verdict].letter).join(''),
      reasons: {},
      newest: new Date(0),
    };
  });
const side = fc
  .array(attempt, { maxLength: 5 })
  .map((rows): SideVerdicts[] => rows.map((row, index) => ({ ...row, attemptId: `attempt ${index}` })));

const verdictOf = (letter: string | undefined): Verdict | undefined =>
  VERDICTS.find((verdict) => VERDICT_TABLE[verdict].letter === letter);

/** What a side says of a test, worked out the slow way. */
function slow(rows: readonly SideVerdicts[], suite: string, test: string, hash: string) {
  const found = rows.flatMap((row) => {
    const verdict = verdictOf(row.verdicts[row.tests.indexOf(test)]);
    const isIts = row.suite === suite && row.combination === hash && row.tests.includes(test);
    return isIts && verdict !== undefined ? [{ verdict, attemptId: row.attemptId }] : [];
  });
  const all = found.map((each) => each.verdict);
  const worst = worstVerdict(all);
  const first = found.find((each) => each.verdict === worst);
  if (first === undefined) return null;
  const contradiction = verdictOfRepeats(all);
  const repeats = {
    passed: all.filter((each) => each === 'pass').length,
    conclusive: all.filter(isConclusive).length,
  };
  return {
    verdict: contradiction ?? first.verdict,
    attemptId: first.attemptId,
    n: found.length,
    repeats: contradiction === null ? null : repeats,
  };
}

it('finds of each side the verdict of its repeats or the worst one, how many there are, and the evidence', () => {
  fc.assert(
    fc.property(side, side, (a, b) => {
      const { cells, total, counts } = compareVerdicts(a, b, HASHES, { isListed: () => true, max: Infinity });
      const expected = ['one', 'two'].flatMap((suite) =>
        TESTS.flatMap((test) =>
          HASHES.flatMap((hash, combination) => {
            const [left, right] = [slow(a, suite, test, hash), slow(b, suite, test, hash)];
            if (left === null && right === null) return [];
            const change = classOfChange(left?.verdict ?? null, right?.verdict ?? null);
            return [{ suite, test, combination, class: change, a: left, b: right }];
          }),
        ),
      );
      const key = (cell: { suite: string; test: string; combination: number }): string =>
        `${cell.suite} ${cell.test} ${cell.combination}`;
      const sorted = <T extends Parameters<typeof key>[0]>(all: T[]): T[] =>
        all.toSorted((x, y) => (key(x) < key(y) ? -1 : 1));
      expect(sorted(cells)).toEqual(sorted(expected));
      expect(total).toBe(cells.length);
      for (const [combination, counted] of counts.entries()) {
        for (const change of CHANGE_CLASSES) {
          const those = expected.filter((cell) => cell.combination === combination && cell.class === change);
          expect(counted[change]).toBe(those.length);
        }
      }
    }),
  );
});

it('keeps those that tell the most when it has to cut, in the order of all', () => {
  fc.assert(
    fc.property(side, side, fc.nat(12), (a, b, max) => {
      const all = compareVerdicts(a, b, HASHES, { isListed: () => true, max: Infinity });
      const cut = compareVerdicts(a, b, HASHES, { isListed: () => true, max });
      expect([cut.total, cut.counts]).toEqual([all.total, all.counts]);
      expect(cut.cells).toEqual(all.cells.filter((cell) => cut.cells.some((kept) => isSame(kept, cell))));
      expect(cut.cells).toHaveLength(Math.min(max, all.total));
      const dropped = all.cells.filter((cell) => !cut.cells.some((kept) => isSame(kept, cell)));
      const rank = ({ class: change }: { class: ChangeClass }): number => CHANGE_CLASSES.indexOf(change);
      expect(Math.max(-1, ...cut.cells.map(rank))).toBeLessThanOrEqual(Math.min(Infinity, ...dropped.map(rank)));
    }),
  );
});

const isSame = (x: ComparedCell, y: ComparedCell): boolean =>
  x.suite === y.suite && x.test === y.test && x.combination === y.combination;
