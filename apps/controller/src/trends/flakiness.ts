import { Injectable } from '@nestjs/common';
import { countFlips, isConclusive, type Flakiness } from '@peerlab/contracts';
import { placeRows } from '../grid/grid-rows.js';
import { readRecentAttempts, type RecentAttempt } from '../grid/recent-attempts.js';
import { Sql } from '../platform/database/sql.js';
import { linesByAttempt, type VerdictLine } from '../verdicts/packed-verdicts.js';
import { NO_RANK, rankOf, RANKED_VERDICTS } from '../verdicts/verdict-letters.js';
import { VerdictRows } from '../verdicts/verdict-rows.js';

/** What the attempts of one kernel on one combination said of their suites, in the order of the attempts. */
export type VerdictSequence = readonly Omit<VerdictLine, 'attemptId' | 'newest'>[];

/** How often verdicts flip; see countFlips for the rule. */
@Injectable()
export class FlakinessView {
  readonly #sql: Sql;
  readonly #verdicts: VerdictRows;

  constructor(sql: Sql, verdicts: VerdictRows) {
    this.#sql = sql;
    this.#verdicts = verdicts;
  }

  /** Over the newest FLAKINESS_WINDOW attempts of each combination (or of one) and build name. */
  async read(combination: string | null): Promise<Flakiness> {
    const attempts = await readRecentAttempts(this.#sql, combination);
    const repeated = byKernel(attempts).filter(({ length }) => length > 1);
    const { lines, pending } = await this.#verdicts.readLines(repeated.flat());
    const byAttempt = linesByAttempt(lines);
    const sequences = repeated.map((own) => own.flatMap((attempt) => byAttempt.get(attempt) ?? []));
    return { tests: countAll(sequences), attempts: attempts.length, pending };
  }
}

/** Ids of the attempts of each kernel and combination, oldest first. Takes the attempts newest first. Pure. */
function byKernel(attempts: readonly RecentAttempt[]): string[][] {
  const found = new Map<string, string[]>();
  for (const { combination, kernel, attempt } of attempts.toReversed()) {
    const key = `${combination} ${kernel}`;
    const own = found.get(key);
    if (own === undefined) found.set(key, [attempt]);
    else own.push(attempt);
  }
  return [...found.values()];
}

/**
 * What a verdict adds to flips and chances, by the rank of the one before it (NO_RANK: none) and its own; and which
 * one the next has before it. The rule is that of countFlips: millions of verdicts go through it for one answer.
 */
const RANKS = NO_RANK + 1;
const STEPS = Array.from({ length: RANKS * RANKS }, (_, step) => {
  const before = RANKED_VERDICTS[Math.floor(step / RANKS)];
  const verdict = RANKED_VERDICTS[step % RANKS];
  const line = before === undefined ? [] : [before];
  const after = countFlips(verdict === undefined ? line : [...line, verdict]);
  const { flips, chances } = countFlips(line);
  const counts = verdict !== undefined && isConclusive(verdict);
  return {
    flips: after.flips - flips,
    chances: after.chances - chances,
    next: counts ? step % RANKS : Math.floor(step / RANKS),
  };
});

/** Flips and chances of every test that had a chance, the most flips first. Pure. */
export function countAll(all: readonly VerdictSequence[]): Flakiness['tests'] {
  const { rows, rowsOf } = placeRows(all.flat());
  const flips = new Uint32Array(rows.length);
  const chances = new Uint32Array(rows.length);
  const before = new Uint8Array(rows.length);
  for (const sequence of all) {
    before.fill(NO_RANK);
    for (const { suite, tests, verdicts } of sequence) {
      const places = rowsOf(suite, tests);
      for (let place = 0; place < places.length; place += 1) {
        const row = places[place] ?? 0;
        const step = STEPS[(before[row] ?? NO_RANK) * RANKS + rankOf(verdicts.charCodeAt(place))];
        if (step === undefined) continue;
        flips[row] = (flips[row] ?? 0) + step.flips;
        chances[row] = (chances[row] ?? 0) + step.chances;
        before[row] = step.next;
      }
    }
  }
  return rows
    .map(({ suite, test, index }) => ({ suite, test, flips: flips[index] ?? 0, chances: chances[index] ?? 0 }))
    .filter((each) => each.chances > 0)
    .toSorted((a, b) => b.flips - a.flips || a.chances - b.chances);
}
