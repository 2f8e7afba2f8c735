import { Injectable } from '@nestjs/common';
import { countFlips, FLAKINESS_WINDOW, VERDICT_BY_LETTER, type Flakiness, type Verdict } from '@peerlab/contracts';
import { Sql } from '../platform/database/sql.js';
import { SAYS_SOMETHING, TESTED_PAIRS } from './grid.js';
import { PACKED_AT_ONCE, VerdictRows } from './verdict-rows.js';

/** What attempts of one kernel on one combination said of a suite, in their order; several such may be equal. */
export interface VerdictSequence {
  suite: string;
  /** Tests and one letter for each, of every attempt. */
  attempts: { tests: readonly string[]; verdicts: string }[];
  /** How many combinations and kernels have exactly this sequence. */
  times: number;
}

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

  async #sequences(attempts: readonly AttemptRow[]): Promise<VerdictSequence[]> {
    const rows = await this.#sql.rows<{ suite: string; plans: string[]; verdicts: string[]; times: number }>(
      `select suite, plans, verdicts, count(*)::int as times from (
         select v.suite, array_agg(v.plan order by p.place desc) as plans,
           array_agg(v.verdicts order by p.place desc) as verdicts
         from unnest($1::text[], $2::text[], $3::uuid[]) with ordinality as p(combination, kernel, attempt, place)
           join attempt_verdicts v on v.attempt_id = p.attempt
         group by p.combination, p.kernel, v.suite) sequence
       group by suite, plans, verdicts`,
      [
        attempts.map(({ combination }) => combination),
        attempts.map(({ kernel }) => kernel),
        attempts.map(({ attempt }) => attempt),
      ],
    );
    const plans = await this.#verdicts.plans(rows.flatMap((row) => row.plans));
    return rows.map(({ suite, plans: hashes, verdicts, times }) => ({
      suite,
      attempts: hashes.map((hash, index) => ({
        tests: plans.get(hash)?.tests ?? [],
        verdicts: verdicts[index] ?? '',
      })),
      times,
    }));
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

/** Flips and chances of every test that had a chance, the most flips first. Pure. */
export function countAll(sequences: readonly VerdictSequence[]): Flakiness['tests'] {
  const tests = new Map<string, Flakiness['tests'][number]>();
  // Most tests pass all the time, so that most lines are the same few.
  const known = new Map<string, ReturnType<typeof countFlips>>();
  for (const { suite, attempts, times } of sequences) {
    const letters = new Map<string, string>();
    for (const attempt of attempts) {
      for (const [place, test] of attempt.tests.entries()) {
        letters.set(test, (letters.get(test) ?? '') + (attempt.verdicts[place] ?? ''));
      }
    }
    for (const [test, line] of letters) {
      const counted = known.get(line) ?? countFlips(verdictsOf(line));
      known.set(line, counted);
      if (counted.chances === 0) continue;
      const key = `${suite}\n${test}`;
      const sum = tests.get(key) ?? { suite, test, flips: 0, chances: 0 };
      tests.set(key, sum);
      sum.flips += counted.flips * times;
      sum.chances += counted.chances * times;
    }
  }
  return [...tests.values()].toSorted((a, b) => b.flips - a.flips || a.chances - b.chances);
}

function verdictsOf(letters: string): Verdict[] {
  return Array.from(letters).flatMap((letter) => VERDICT_BY_LETTER.get(letter) ?? []);
}
