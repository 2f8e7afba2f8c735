import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { VERDICT_TABLE, type Verdict } from '@peerlab/contracts';
import { jsonb } from '../platform/database/storable.js';
import { Sql, type Queries } from '../platform/database/sql.js';

interface TestPlan {
  /** In the order of the suite. */
  tests: readonly string[];
  /** Where each test stands among those of all suites. */
  positions: readonly number[];
}

/** The verdicts of one suite of one attempt. */
export interface VerdictLine extends TestPlan {
  attemptId: string;
  suite: string;
  /** One letter of VERDICT_TABLE for each test. */
  verdicts: string;
  /** When the newest of the results was stored. */
  newest: Date;
}

/** The same, and what is said to those that are wrong. */
export interface VerdictRow extends VerdictLine {
  /** Why, by the test's place, of those verdicts that say that something is wrong. */
  reasons: Readonly<Record<string, string>>;
}

/** As it is stored: many attempts share a list of tests. */
export type Unplanned<T extends TestPlan> = Omit<T, keyof TestPlan> & { plan: string };

interface ResultRow {
  attempt_id: string;
  suite: string;
  test: string;
  position: number;
  verdict: Verdict;
  reason: string | null;
  stored_at: Date;
}

/** A list of tests that many attempts share is stored once. */
type PlannedRow = VerdictRow & { plan: string };

/** Attempts that an answer packs at most when it spans many of them; a later one packs the rest. */
export const PACKED_AT_ONCE = 100;
const REASON_LENGTH = 300;
const SAYS_NOTHING: ReadonlySet<Verdict> = new Set(['pass', 'skip', 'not-reached', 'canceled']);

/**
 * Verdicts packed for the grid: a page of it needs hundreds of attempts with hundreds of results each. What an
 * attempt comes to is packed at its end, or else when somebody first asks for it; a late result throws its
 * attempt's rows away.
 */
@Injectable()
export class VerdictRows {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Of the attempts that have results, in any order; those of running attempts are up to date, too. */
  async read(attemptIds: readonly string[]): Promise<VerdictRow[]> {
    const packed = await this.#packed(attemptIds);
    const have = new Set(packed.map(({ attemptId }) => attemptId));
    const missing = attemptIds.filter((id) => !have.has(id));
    return missing.length === 0 ? packed : [...packed, ...(await this.#pack(missing))];
  }

  /**
   * Packs those of ended attempts that have results and are not packed yet, at most `atMost`, the first ones first.
   * Returns how many are left. For answers that read thousands of packed rows by themselves.
   */
  async pack(attemptIds: readonly string[], atMost: number): Promise<number> {
    if (attemptIds.length === 0) return 0;
    const missing = await this.#sql.rows<{ id: string }>(
      `select wanted.id from unnest($1::uuid[]) with ordinality as wanted(id, place)
       where not exists (select 1 from attempt_verdicts where attempt_id = wanted.id)
         and exists (select 1 from attempt where id = wanted.id and state = 'ended')
         and exists (select 1 from result where attempt_id = wanted.id) order by wanted.place`,
      [attemptIds],
    );
    const now = missing.slice(0, atMost).map(({ id }) => id);
    if (now.length > 0) await this.#pack(now);
    return missing.length - now.length;
  }

  /** Whether one of the attempts is packed by now. */
  async isAnyPacked(attemptIds: readonly string[]): Promise<boolean> {
    const found = await this.#sql.rows('select 1 from attempt_verdicts where attempt_id = any($1) limit 1', [
      attemptIds,
    ]);
    return found.length > 0;
  }

  async #packed(attemptIds: readonly string[]): Promise<VerdictRow[]> {
    return this.planned(
      await this.#sql.rows<Unplanned<VerdictRow>>(
        `select attempt_id as "attemptId", suite, plan, verdicts, reasons, newest from attempt_verdicts
         where attempt_id = any($1)`,
        [attemptIds],
      ),
    );
  }

  /** Gives each row its list of tests; rows with the same list share it. */
  async planned<T extends { plan: string }>(rows: readonly T[]): Promise<(Omit<T, 'plan'> & TestPlan)[]> {
    const plans = await this.#sql.rows<TestPlan & { hash: string }>(
      'select hash, tests, positions from test_plan where hash = any($1)',
      [[...new Set(rows.map(({ plan }) => plan))]],
    );
    const byHash = new Map(plans.map(({ hash, tests, positions }) => [hash, { tests, positions }]));
    return rows.flatMap(({ plan, ...row }) => {
      const found = byHash.get(plan);
      return found === undefined ? [] : [{ ...row, ...found }];
    });
  }

  async #pack(attemptIds: readonly string[]): Promise<VerdictRow[]> {
    return this.#sql.transaction(async (tx) => {
      // Results are stored under a lock of their attempt: none can slip in between the reading and the writing.
      const ended = await tx.rows<{ id: string }>(
        `select id from attempt where id = any($1) and state = 'ended' order by id for share`,
        [attemptIds],
      );
      const results = await tx.rows<ResultRow>(
        `select attempt_id, suite, test, position, verdict, reason, stored_at from result
         where attempt_id = any($1) order by attempt_id, suite, position, test`,
        [attemptIds],
      );
      const rows = packResults(results);
      const isEnded = new Set(ended.map(({ id }) => id));
      await store(
        tx,
        rows.filter(({ attemptId }) => isEnded.has(attemptId)),
      );
      return rows;
    });
  }
}

/** Lines of each attempt, in the order in which they come. Pure. */
export function linesByAttempt<T extends { attemptId: string }>(lines: readonly T[]): Map<string, T[]> {
  const byAttempt = new Map<string, T[]>();
  for (const line of lines) {
    const own = byAttempt.get(line.attemptId);
    if (own === undefined) byAttempt.set(line.attemptId, [line]);
    else own.push(line);
  }
  return byAttempt;
}

/** To be called with every change of the results of an attempt, in its transaction. */
export async function forgetVerdicts(tx: Queries, attemptId: string): Promise<void> {
  await tx.run('delete from attempt_verdicts where attempt_id = $1', [attemptId]);
}

/** Removes what is packed of attempts, and the lists of tests that no packed attempt has any more. */
export async function removeVerdicts(tx: Queries, attemptIds: readonly string[]): Promise<void> {
  const rows = await tx.rows<{ plan: string }>(
    'select distinct plan from attempt_verdicts where attempt_id = any($1)',
    [attemptIds],
  );
  const plans = rows.map(({ plan }) => plan);
  await tx.run('delete from attempt_verdicts where attempt_id = any($1)', [attemptIds]);
  // Locked first, so that the next statement sees what another transaction that packs just now has stored.
  await tx.rows('select 1 from test_plan where hash = any($1) order by hash for update', [plans]);
  await tx.run(
    `delete from test_plan p where hash = any($1) and not exists (select 1 from attempt_verdicts v where v.plan = p.hash)`,
    [plans],
  );
}

/** Packs results that come sorted by attempt, suite and place. Pure. */
export function packResults(results: readonly ResultRow[]): PlannedRow[] {
  const groups: ResultRow[][] = [];
  for (const result of results) {
    const last = groups.at(-1)?.[0];
    if (last?.attempt_id === result.attempt_id && last.suite === result.suite) groups.at(-1)?.push(result);
    else groups.push([result]);
  }
  return groups.map((group) => {
    const [{ attempt_id: attemptId, suite } = { attempt_id: '', suite: '' }] = group;
    const tests = group.map(({ test }) => test);
    const positions = group.map(({ position }) => position);
    const reasons = group.flatMap(({ verdict, reason }, place) =>
      reason === null || SAYS_NOTHING.has(verdict) ? [] : [[place, reason.slice(0, REASON_LENGTH)] as const],
    );
    return {
      attemptId,
      suite,
      plan: createHash('sha256')
        .update(JSON.stringify([suite, tests, positions]))
        .digest('hex'),
      tests,
      positions,
      verdicts: group.map(({ verdict }) => VERDICT_TABLE[verdict].letter).join(''),
      reasons: Object.fromEntries(reasons),
      newest: new Date(Math.max(...group.map(({ stored_at }) => stored_at.getTime()))),
    };
  });
}

async function store(tx: Queries, rows: readonly PlannedRow[]): Promise<void> {
  const plans = new Map(
    rows.map(({ plan, suite, tests, positions }) => [plan, { hash: plan, suite, tests, positions }]),
  );
  // A plan that is there already is locked by the update, so that nobody removes it before it is used.
  await tx.run(
    `insert into test_plan (hash, suite, tests, positions)
     select hash, suite, tests, positions
     from jsonb_to_recordset($1) as p(hash text, suite text, tests text[], positions int[])
     on conflict (hash) do update set suite = excluded.suite`,
    [jsonb([...plans.values()].toSorted((a, b) => (a.hash < b.hash ? -1 : 1)))],
  );
  await tx.run(
    `insert into attempt_verdicts (attempt_id, suite, plan, verdicts, reasons, newest)
     select attempt_id, suite, plan, verdicts, reasons, newest from jsonb_to_recordset($1) as v(attempt_id uuid,
       suite text, plan text, verdicts text, reasons jsonb, newest timestamptz) on conflict do nothing`,
    [
      jsonb(
        rows.map(({ attemptId, suite, plan, verdicts, reasons, newest }) => ({
          attempt_id: attemptId,
          suite,
          plan,
          verdicts,
          reasons,
          newest: newest.toISOString(),
        })),
      ),
    ],
  );
}
