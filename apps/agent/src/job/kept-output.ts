import type { KtapEvent } from '@peerlab/contracts';
import type { RunningTest } from './running-test.js';
import {
  LINES_KEPT,
  MEANINGFUL_LINES_KEPT,
  NOTES_PER_SUITE,
  SUITE_BYTES_KEPT,
  SUITE_LINES_KEPT,
  TEST_BYTES_KEPT,
} from './suite-limits.js';

/** Where a suite's trouble with its limits is told. */
interface Tellers {
  note(text: string): void;
  /** Something for people that belongs into the suite's own output too. */
  say(text: string): void;
}

/** What is kept of a suite's output over all its invocations, and what was left out. */
export class KeptOutput {
  readonly #suite: string;
  readonly #tellers: Tellers;
  #lines = 0;
  #bytes = 0;
  #meaningful = 0;
  /** Notes that were made, and what was left out, by name. */
  readonly #noted = new Map<string, number>();
  readonly #leftOut = new Map<string, number>();

  constructor(suite: string, tellers: Tellers) {
    this.#suite = suite;
    this.#tellers = tellers;
  }

  /**
   * Whether a line of `bytes` bytes is kept: all that has a meaning, and of the rest LINES_KEPT of each test, within
   * the limits of the whole suite. Says so once when it begins to leave lines out.
   */
  keeps(event: KtapEvent | null, bytes: number, running: RunningTest | null): boolean {
    this.#bytes += bytes;
    if (running !== null) running.bytes += bytes;
    if (this.#bytes > SUITE_BYTES_KEPT) return this.leaveOut('lines', `it has printed ${SUITE_BYTES_KEPT} bytes`);
    if (event !== null) {
      this.#meaningful += 1;
      if (this.#meaningful <= MEANINGFUL_LINES_KEPT) return true;
      return this.leaveOut('lines', `it has printed ${MEANINGFUL_LINES_KEPT} results, proofs and metrics`);
    }
    this.#lines += 1;
    if (this.#lines > SUITE_LINES_KEPT) return this.leaveOut('lines', `it has printed ${SUITE_LINES_KEPT} lines`);
    return running === null || this.#keepsOf(running);
  }

  #keepsOf(running: RunningTest): boolean {
    running.lines += 1;
    const isLong = running.bytes > TEST_BYTES_KEPT;
    if (running.lines <= LINES_KEPT && !isLong) return true;
    if (!running.saidFull) {
      const what = isLong ? `${TEST_BYTES_KEPT} bytes` : `${LINES_KEPT} lines`;
      this.#tellers.note(`test: ${running.test} has printed ${what}; further ones are left out`);
    }
    running.saidFull = true;
    this.#count('lines');
    return false;
  }

  /** Notes something about the suite, NOTES_PER_SUITE times; `what` names its kind. */
  note(what: string, text: string): void {
    const noted = this.#noted.get(what) ?? 0;
    this.#noted.set(what, noted + 1);
    if (noted < NOTES_PER_SUITE) this.#tellers.note(`test: ${this.#suite} ${text}`);
    else this.leaveOut(what, `${NOTES_PER_SUITE} ${what} were noted`);
  }

  /** Counts something that exceeds a limit, and says so the first time. Always returns false. */
  leaveOut(what: string, why: string): false {
    if (this.#count(what) === 1) this.#tellers.say(`${this.#suite}: ${why}; further ${what} are left out`);
    return false;
  }

  /** All that was left out, for people; null when nothing was. */
  summary(): string | null {
    if (this.#leftOut.size === 0) return null;
    return `${this.#suite}: left out: ${[...this.#leftOut].map(([what, count]) => `${count} ${what}`).join(', ')}`;
  }

  #count(what: string): number {
    const count = (this.#leftOut.get(what) ?? 0) + 1;
    this.#leftOut.set(what, count);
    return count;
  }
}
