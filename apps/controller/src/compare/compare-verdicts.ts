import { CHANGE_CLASSES, classOfChange, isConclusive, type ChangeClass, type Outcome } from '@peerlab/contracts';
import { placeRows } from '../grid/grid-rows.js';
import type { VerdictRow } from '../verdicts/packed-verdicts.js';
import { CODE_BY_RANK, RANKED_VERDICTS, rankOf, rankOfRepeats, verdictOfRank } from '../verdicts/verdict-letters.js';

/** The verdicts of a suite of an attempt on one side; those that came later stand later. */
export interface SideVerdicts extends VerdictRow {
  combination: string;
}

/**
 * What a side says of a test: the verdict of verdictOfRepeats where its results contradict each other, else the worst
 * of them; and the attempt with the worst one, which is the evidence.
 */
export interface FoundVerdict extends Pick<Outcome, 'verdict' | 'n' | 'attemptId'> {
  /** How many passed, of how many conclusive results, where they contradict each other. */
  repeats: { passed: number; conclusive: number } | null;
}

/** A test on a combination, on both sides. */
export interface ComparedCell {
  suite: string;
  test: string;
  /** Index into the combinations. */
  combination: number;
  class: ChangeClass;
  a: FoundVerdict | null;
  b: FoundVerdict | null;
}

export type ChangeCounts = Record<ChangeClass, number>;

export const noChanges = (): ChangeCounts =>
  Object.fromEntries(CHANGE_CLASSES.map((each) => [each, 0])) as ChangeCounts;

/** Which cells are wanted: most of hundreds of thousands are the same. */
interface Wanted {
  isListed: (change: ChangeClass, combination: number) => boolean;
  /** At most so many, those of the classes that stand first in CHANGE_CLASSES. */
  max: number;
}

/**
 * What became of every test that either side has: how many are in each class, by index into `hashes`, and those
 * that are listed, in the order of the suites and then of `hashes`; `total` = how many there are to be listed.
 * Verdicts of combinations that are not among `hashes` are left out. Pure.
 */
export function compareVerdicts(
  a: readonly SideVerdicts[],
  b: readonly SideVerdicts[],
  hashes: readonly string[],
  { isListed, max }: Wanted,
): { cells: ComparedCell[]; total: number; counts: ChangeCounts[] } {
  const { rows, rowsOf } = placeRows([...a, ...b]);
  const left = gather(a, rows.length, hashes, rowsOf);
  const right = gather(b, rows.length, hashes, rowsOf);
  const counts = hashes.map(noChanges);
  /** Numbers of the listed cells. */
  const listed = new Map(CHANGE_CLASSES.map((change) => [change, [] as number[]]));
  for (let cell = 0; cell < rows.length * hashes.length; cell += 1) {
    const letter = left.letters[cell];
    const change = letter === right.letters[cell] ? 'same' : changeOf(left.find(cell), right.find(cell));
    if (change === 'same' && letter === NO_LETTER) continue;
    const combination = cell % hashes.length;
    const counted = counts[combination];
    if (counted !== undefined) counted[change] += 1;
    if (isListed(change, combination)) listed.get(change)?.push(cell);
  }
  const all = [...listed].flatMap(([change, numbers]) => numbers.map((cell) => ({ cell, change })));
  const cells = all
    .slice(0, max)
    .toSorted((x, y) => x.cell - y.cell)
    .map(({ cell, change }) => {
      const { suite = '', test = '' } = rows[Math.floor(cell / hashes.length)] ?? {};
      const combination = cell % hashes.length;
      return { suite, test, combination, class: change, a: left.find(cell), b: right.find(cell) };
    });
  return { cells, total: all.length, counts };
}

const changeOf = (a: FoundVerdict | null, b: FoundVerdict | null): ChangeClass =>
  classOfChange(a?.verdict ?? null, b?.verdict ?? null);

/** What a side has in each cell; a cell = row × number of combinations + combination. */
interface Gathered {
  /** Of the verdict, NO_LETTER where there is none. */
  letters: Uint8Array;
  find: (cell: number) => FoundVerdict | null;
}

const NO_LETTER = 0;

function gather(
  verdicts: readonly SideVerdicts[],
  rowCount: number,
  hashes: readonly string[],
  rowsOf: (suite: string, tests: readonly string[]) => Uint32Array,
): Gathered {
  const combinationOf = new Map(hashes.map((hash, index) => [hash, index]));
  const size = rowCount * hashes.length;
  const count = new Uint16Array(size);
  /** Set of the ranks in a cell, as rankOfRepeats takes it. */
  const ranks = new Uint16Array(size);
  const passed = new Uint16Array(size);
  const conclusive = new Uint16Array(size);
  /** Which of `verdicts` has the worst. */
  const worst = new Uint32Array(size);
  const letters = new Uint8Array(size);
  for (const [source, { suite, tests, verdicts: packed, combination: hash }] of verdicts.entries()) {
    const combination = combinationOf.get(hash);
    if (combination === undefined) continue;
    const places = rowsOf(suite, tests);
    for (let place = 0; place < places.length; place += 1) {
      const cell = (places[place] ?? 0) * hashes.length + combination;
      const letter = packed.charCodeAt(place);
      const rank = rankOf(letter);
      if (count[cell] === 0 || rank < rankOf(letters[cell] ?? NO_LETTER)) {
        letters[cell] = letter;
        worst[cell] = source;
      }
      count[cell] = (count[cell] ?? 0) + 1;
      ranks[cell] = (ranks[cell] ?? 0) | (1 << rank);
      conclusive[cell] = (conclusive[cell] ?? 0) + (IS_CONCLUSIVE[rank] ?? 0);
      if (rank === PASS_RANK) passed[cell] = (passed[cell] ?? 0) + 1;
    }
  }
  for (let cell = 0; cell < size; cell += 1) {
    const code = CODE_BY_RANK[rankOfRepeats(ranks[cell] ?? 0)];
    if (code !== undefined) letters[cell] = code;
  }
  const find = (cell: number): FoundVerdict | null => {
    const verdict = verdictOfRank(rankOf(letters[cell] ?? NO_LETTER));
    if (verdict === undefined) return null;
    const isContradiction = CODE_BY_RANK[rankOfRepeats(ranks[cell] ?? 0)] !== undefined;
    return {
      verdict,
      n: count[cell] ?? 0,
      attemptId: verdicts[worst[cell] ?? 0]?.attemptId ?? '',
      repeats: isContradiction ? { passed: passed[cell] ?? 0, conclusive: conclusive[cell] ?? 0 } : null,
    };
  };
  return { letters, find };
}

const PASS_RANK = RANKED_VERDICTS.indexOf('pass');
/** 1 for each rank whose verdict is conclusive. */
const IS_CONCLUSIVE = Uint8Array.from(RANKED_VERDICTS, (verdict) => (isConclusive(verdict) ? 1 : 0));
