import { judgeRepeats, type Judged } from '@peerlab/contracts';
import type { VerdictLine } from '../verdicts/packed-verdicts.js';
import { CODE_BY_RANK, NO_RANK, rankOf, rankOfRepeats, verdictOfRank } from '../verdicts/verdict-letters.js';

/** A suite's verdicts of an attempt; `reasons` where they are wanted. */
export type RepeatLine = Pick<VerdictLine, 'tests' | 'verdicts'> & { reasons?: Readonly<Record<string, string>> };

/**
 * The newest line of a suite on one kernel and combination, with the verdict of verdictOfRepeats where older ones
 * contradict it. Tests that the newest one lacks are left out. Pure.
 * @param older newest first
 */
export function sumUpRepeats<T extends RepeatLine>(newest: T, older: readonly T[]): T {
  if (older.every(({ tests, verdicts }) => tests === newest.tests && verdicts === newest.verdicts)) return newest;
  const lines = [newest, ...older].map((line) => ({ ...line, placeOf: placesIn(line, newest) }));
  const letters = Buffer.from(newest.verdicts, 'latin1');
  const reasons: Record<string, string> = { ...newest.reasons };
  for (const [place, test] of newest.tests.entries()) {
    let ranks = 0;
    for (const { verdicts, placeOf } of lines) {
      const rank = rankOf(verdicts.charCodeAt(placeOf(place, test)));
      if (rank !== NO_RANK) ranks |= 1 << rank;
    }
    const code = CODE_BY_RANK[rankOfRepeats(ranks)];
    if (code === undefined) continue;
    letters[place] = code;
    if (newest.reasons === undefined) continue;
    const repeats = lines.flatMap(({ verdicts, placeOf, reasons: known = {} }): Judged[] => {
      const at = placeOf(place, test);
      const verdict = verdictOfRank(rankOf(verdicts.charCodeAt(at)));
      return verdict === undefined ? [] : [{ verdict, reason: known[at] ?? null }];
    });
    const reason = judgeRepeats(repeats)?.reason ?? null;
    if (reason !== null) reasons[place] = reason;
  }
  return { ...newest, verdicts: letters.toString('latin1'), ...(newest.reasons === undefined ? {} : { reasons }) };
}

/** Finds the place of a test of the newest line in another one; -1 where that has none. */
function placesIn(line: RepeatLine, newest: RepeatLine): (place: number, test: string) => number {
  if (line.tests === newest.tests) return (place) => place;
  const places = new Map(line.tests.map((test, place) => [test, place]));
  return (_, test) => places.get(test) ?? -1;
}
