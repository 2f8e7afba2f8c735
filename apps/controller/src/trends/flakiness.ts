import { Injectable } from '@nestjs/common';
import { countFlips, FLAKINESS_WINDOW, isConclusive, VERDICT_TABLE, type Flakiness } from '@peerlab/contracts';
import { Sql } from '../platform/database/sql.js';
import { placeRows } from '../grid/grid-rows.js';
import { SAYS_SOMETHING, TESTED_PAIRS } from '../grid/grid.js';
import { NO_RANK, rankOf, RANKED_VERDICTS } from '../verdicts/verdict-letters.js';
import {
  linesByAttempt,
  PACKED_AT_ONCE,
  VerdictRows,
  type Unplanned,
  type VerdictLine,
} from '../verdicts/verdict-rows.js';

/** What the attempts of one kernel on one combination said of their suites, in the order of the attempts. */
export type VerdictSequence = readonly Omit<VerdictLine, 'attemptId' | 'newest'>[];

interface AttemptRow {
  attempt: string;
  combination: string;
  kernel: string;
}

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
    const { text, values } = windowSql(combination);
    const attempts = await this.#sql.rows<AttemptRow>(text, values);
    const pending = await this.#verdicts.pack(
      attempts.map(({ attempt }) => attempt),
      PACKED_AT_ONCE,
    );
    return { tests: countAll(await this.#sequences(attempts)), attempts: attempts.length, pending };
  }

  /** Takes the attempts newest first. Most kernels are tested once: of these only what is flaky by itself counts. */
  async #sequences(attempts: readonly AttemptRow[]): Promise<VerdictSequence[]> {
    const byKernel = new Map<string, string[]>();
    for (const { combination, kernel, attempt } of attempts.toReversed()) {
      const key = `${combination} ${kernel}`;
      const own = byKernel.get(key);
      if (own === undefined) byKernel.set(key, [attempt]);
      else own.push(attempt);
    }
    const all = [...byKernel.values()];
    const rows = await this.#sql.rows<Unplanned<VerdictLine>>(
      `select attempt_id as "attemptId", suite, plan, verdicts, newest from attempt_verdicts
       where attempt_id = any($1) or (attempt_id = any($2) and position($3 in verdicts) > 0)`,
      [
        all.filter(({ length }) => length > 1).flat(),
        all.filter(({ length }) => length === 1).flat(),
        VERDICT_TABLE.flaky.letter,
      ],
    );
    const byAttempt = linesByAttempt(await this.#verdicts.planned(rows));
    return all.map((own) => own.flatMap((attempt) => byAttempt.get(attempt) ?? []));
  }
}

/** The newest attempts of each combination and build name, newest first, each with its kernel. */
export function windowSql(combination: string | null): { text: string; values: unknown[] } {
  return {
    text: `${TESTED_PAIRS}
      select recent.attempt, pair.combination, recent.kernel from pair cross join lateral (
        select t.id as attempt, coalesce(b.bundle_key, b.id::text) as kernel, j.ended_at, t.number
        from (select id, build_id, ended_at from job where ${SAYS_SOMETHING}
            and combination = pair.combination and build_name = pair.build_name
            order by ended_at desc limit ${FLAKINESS_WINDOW}) j
          join attempt t on t.job_id = j.id join build b on b.id = j.build_id
        order by j.ended_at desc, t.number desc limit ${FLAKINESS_WINDOW}) recent
      where pair.combination is not null ${combination === null ? '' : 'and pair.combination = $1'}
      order by recent.ended_at desc, recent.number desc`,
    values: combination === null ? [] : [combination],
  };
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
