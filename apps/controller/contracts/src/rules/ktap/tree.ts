import { cutText } from '../../schema/text.js';
import type { KtapDirective, ResultLine } from './structure.js';

/**
 * `none`: a test of sub-tests of which none ran. `crashed`: planned sub-tests have no result, or the test itself has
 * none. `xfail` and `todo`: failed as expected. `error` (of a whole document): the results are not as the plan says.
 */
export type KtapStatus = 'pass' | 'fail' | 'skip' | 'crashed' | 'timeout' | 'error' | 'xfail' | 'todo' | 'none';

/** Tests without sub-tests, counted as tools/testing/kunit/kunit_parser.py of Linux counts them. */
export interface KtapTotals {
  pass: number;
  /** Also those with XFAIL or TODO that are not ok: the kernel's parser knows SKIP alone. */
  fail: number;
  skip: number;
  /** Planned tests without a result. */
  crashed: number;
  /** Breaches of the format: wrong numbers, missing results, a plan that does not fit, nothing to read. */
  errors: number;
}

/** One test. */
export interface KtapNode {
  /** As printed; empty when the line has no name. */
  name: string;
  /** Names from the top, parted by `/`. The second of two tests with one name is `name (2)`; without a name, `test N`. */
  path: string;
  number: number | null;
  status: KtapStatus;
  directive: KtapDirective | null;
  /** What stands behind `#` in the result, without the directive. */
  diagnostic: string | null;
  /** Where its result stands: the number that `KtapReader.push` was given; of `readKtap` the line, from 1. */
  line: number;
  /** How many sub-tests were planned; null when that is not said. */
  plan: number | null;
  /** Planned sub-tests without a result. */
  missing: number;
  /** Whether its sub-tests came with a version, a plan or a name, not only as indented lines. */
  isAnnounced: boolean;
  children: KtapNode[];
  /** What the program of this test printed as KTAP of its own behind `# `, as kselftest's runner shows it. Not in the totals. */
  inner: KtapNode[];
  /** Breaches of the format, each counted in the totals; the first ERRORS_KEPT. */
  errors: string[];
  /** What a reader should know and the kernel's parser does not count. */
  warnings: string[];
  /** The first LOG_KEPT diagnostic and unknown lines before the result. */
  log: string[];
}

/** What a reader has read at its end. */
export interface KtapSummary {
  status: KtapStatus;
  totals: KtapTotals;
  /** Failures that no XFAIL or TODO explains, with those of inner programs. */
  realFailures: number;
  /** Tests of the first level, unless a function took them. */
  nodes: KtapNode[];
  /** Planned tests of the first level, of all documents; null when one has no plan. */
  plan: number | null;
  /** Planned tests of the first level without a result. */
  missing: number;
  /** KTAP behind `# ` of a program whose test has no result. */
  inner: KtapNode[];
  errors: string[];
  warnings: string[];
}

/** Messages kept of one test. */
export const ERRORS_KEPT = 20;
/** Lines of output kept of one test, and characters of each. */
export const LOG_KEPT = 20;
const LOG_LINE_MAX = 300;
/** Levels of sub-tests; deeper ones count as this level. */
export const DEPTH_MAX = 32;
/** Tests and lines of output that one reader keeps; further ones are counted and not kept. */
export const NODES_MAX = 100_000;
export const LOG_LINES_MAX = 50_000;

export const noTotals = (): KtapTotals => ({ pass: 0, fail: 0, skip: 0, crashed: 0, errors: 0 });

/** Tests in the totals; errors are none. */
export const totalOf = ({ pass, fail, skip, crashed }: KtapTotals): number => pass + fail + skip + crashed;

export function addTotals(to: KtapTotals, from: KtapTotals): void {
  for (const key of ['pass', 'fail', 'skip', 'crashed', 'errors'] as const) to[key] += from[key];
}

/** Statuses that the kernel's parser calls a failure. */
export const isFailed = (status: KtapStatus): boolean =>
  status === 'fail' || status === 'timeout' || status === 'error' || isExpected(status);
/** Whether results as a whole are as they should be. Nothing at all is not. */
export const isAsItShouldBe = (status: KtapStatus): boolean => status === 'pass' || status === 'skip';

/** Failed as it says it would. */
export const isExpected = (status: KtapStatus): boolean => status === 'xfail' || status === 'todo';

export function addStatus(to: KtapTotals, status: KtapStatus): void {
  if (status === 'none') return;
  if (isFailed(status)) to.fail += 1;
  else to[status as 'pass' | 'skip' | 'crashed'] += 1;
}

/** The status that a result line gives itself. */
export function statusOfLine({ ok, directive }: Pick<ResultLine, 'ok' | 'directive'>): KtapStatus {
  switch (directive) {
    case 'SKIP':
      return 'skip';
    case 'TIMEOUT':
      return 'timeout';
    case 'ERROR':
      return 'error';
    case 'XFAIL':
      return ok ? 'pass' : 'xfail';
    case 'TODO':
      return ok ? 'pass' : 'todo';
    case null:
      return ok ? 'pass' : 'fail';
  }
}

/** One status for a whole: crashed outranks failed, failed outranks wrong in form, and what did not run is no pass. */
export function overallStatus(totals: KtapTotals, realFailures: number): KtapStatus {
  if (totals.crashed > 0) return 'crashed';
  if (realFailures > 0) return 'fail';
  if (totalOf(totals) === 0) return 'none';
  if (totals.errors > 0) return 'error';
  return totals.skip === totalOf(totals) ? 'skip' : 'pass';
}

/** kselftest's runner prints a shell's exit status: 128 and a signal's number when a signal ended the test. */
export function signalOf(diagnostic: string | null): number | null {
  const code = Number(/^exit=(\d{1,3})$/.exec(diagnostic ?? '')?.[1] ?? 0);
  return code > 128 && code <= 128 + 64 ? code - 128 : null;
}

export function keepMessage(list: string[], message: string): void {
  if (list.length < ERRORS_KEPT) list.push(message);
}

export const cutLogLine = (line: string): string => cutText(line, LOG_LINE_MAX);

/**
 * Gives each name of one level a form of its own: the second `a` is `a (2)`. Takes constant time for each on average,
 * and remembers as many names as a reader keeps tests.
 */
export class SiblingNames {
  readonly #used = new Map<string, number>();

  readonly #lengthMax: number;

  /** @param lengthMax of a name with its suffix, in characters; longer ones are cut */
  constructor(lengthMax = Number.POSITIVE_INFINITY) {
    this.#lengthMax = lengthMax;
  }

  take(name: string): string {
    const cut = this.#cut(name, 0);
    if (this.#used.size > NODES_MAX) return cut;
    let times = (this.#used.get(cut) ?? 0) + 1;
    let unique = cut;
    while (this.#used.has(unique)) {
      if (times === 1) times = 2;
      const suffix = ` (${times})`;
      unique = `${this.#cut(name, suffix.length)}${suffix}`;
      if (this.#used.has(unique)) times += 1;
    }
    this.#used.set(cut, times);
    if (unique !== cut) this.#used.set(unique, 1);
    return unique;
  }

  #cut(name: string, less: number): string {
    return name.length <= this.#lengthMax - less ? name : cutText(name, this.#lengthMax - less);
  }
}
