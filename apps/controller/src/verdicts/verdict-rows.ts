import { Injectable } from '@nestjs/common';
import { columnsOf, pick, uuid } from '../platform/database/row-shape.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { Attempt } from '../schema/attempts.js';
import { AttemptVerdicts, TestPlan, UnpackedAttempt } from '../schema/results.js';
import {
  packResults,
  PACKED_RESULT,
  type PackedRow,
  type PlannedTests,
  type VerdictLine,
  type VerdictRow,
} from './packed-verdicts.js';
import { storePacked } from './packed-store.js';

/** Attempts whose results are read or packed in one go: each may have hundreds of them. */
export const UNPACKED_AT_ONCE = 100;

const PACKED = columnsOf(AttemptVerdicts);
const PACKED_LINE = { attemptId: uuid, ...pick(PACKED, 'suite', 'plan', 'verdicts', 'newest') };
const PACKED_ROW = { ...PACKED_LINE, ...pick(PACKED, 'reasons') };
const PLAN = pick(columnsOf(TestPlan), 'hash', 'tests', 'positions');
const ATTEMPT_ID = pick(columnsOf(Attempt), 'id');
const QUEUED = pick(columnsOf(UnpackedAttempt), 'attempt_id');

/**
 * Verdicts packed for the grid: a page of it needs hundreds of attempts with hundreds of results each. An attempt is
 * packed at its end, or by PackingScheduler. Reading writes nothing: what is not packed is put together in memory.
 */
@Injectable()
export class VerdictRows {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Rows of all the attempts that have results, in any order; those of running attempts are up to date, too. */
  async read(attemptIds: readonly string[]): Promise<VerdictRow[]> {
    const packed = await this.withTests(
      await this.#sql.rows(
        PACKED_ROW,
        `select attempt_id as "attemptId", suite, plan, verdicts, reasons, newest from attempt_verdicts
         where attempt_id = any($1)`,
        [attemptIds],
      ),
    );
    return [...packed, ...(await this.#fromResults(withoutPacked(attemptIds, packed)))];
  }

  /**
   * As read, without reasons, for answers that span thousands of attempts: of those that are not packed at most
   * `atMost` are put together, the first ones first. `pending`: how many are left out.
   */
  async readLines(
    attemptIds: readonly string[],
    atMost = UNPACKED_AT_ONCE,
  ): Promise<{ lines: VerdictLine[]; pending: number }> {
    const packed = await this.withTests(
      await this.#sql.rows(
        PACKED_LINE,
        `select attempt_id as "attemptId", suite, plan, verdicts, newest from attempt_verdicts
         where attempt_id = any($1)`,
        [attemptIds],
      ),
    );
    const missing = withoutPacked(attemptIds, packed);
    if (missing.length === 0) return { lines: packed, pending: 0 };
    const unpacked = await this.#sql.rows(
      ATTEMPT_ID,
      `select wanted.id from unnest($1::uuid[]) with ordinality as wanted(id, place)
       where exists (select 1 from result where attempt_id = wanted.id) order by wanted.place`,
      [missing],
    );
    const now = unpacked.slice(0, atMost).map(({ id }) => id);
    return { lines: [...packed, ...(await this.#fromResults(now))], pending: unpacked.length - now.length };
  }

  /** Gives each row its list of tests; rows with the same list share it. */
  async withTests<T extends { plan: string }>(rows: readonly T[]): Promise<(Omit<T, 'plan'> & PlannedTests)[]> {
    const hashes = new Set(rows.map(({ plan }) => plan));
    if (hashes.size === 0) return [];
    const plans = await this.#sql.rows(PLAN, 'select hash, tests, positions from test_plan where hash = any($1)', [
      [...hashes],
    ]);
    const byHash = new Map(plans.map(({ hash, tests, positions }) => [hash, { tests, positions }]));
    return rows.flatMap(({ plan, ...row }) => {
      const found = byHash.get(plan);
      return found === undefined ? [] : [{ ...row, ...found }];
    });
  }

  /**
   * Packs the results of those attempts that ended, the first `atMost` of them. An attempt that another transaction
   * holds is passed over: it stays in the queue.
   * @returns how many attempts were packed
   */
  async pack(attemptIds: readonly string[], atMost = attemptIds.length): Promise<number> {
    const wanted = attemptIds.slice(0, atMost);
    if (wanted.length === 0) return 0;
    return this.#sql.transaction(async (tx) => {
      // Results are stored under a lock of their attempt: none can slip in between the reading and the writing.
      const ended = await tx.rows(
        ATTEMPT_ID,
        `select id from attempt where id = any($1) and state = 'ended' order by id for no key update skip locked`,
        [wanted],
      );
      const ids = ended.map(({ id }) => id);
      await storePacked(tx, ids, await packedResults(tx, ids));
      return ids.length;
    });
  }

  /** Attempts that are to be packed, in the order of their ids and after `after`, at most UNPACKED_AT_ONCE. */
  async queued(after: string): Promise<string[]> {
    const rows = await this.#sql.rows(
      QUEUED,
      `select attempt_id from unpacked_attempt where attempt_id > $1 order by attempt_id limit ${UNPACKED_AT_ONCE}`,
      [after],
    );
    return rows.map(({ attempt_id: id }) => id);
  }

  async #fromResults(attemptIds: readonly string[]): Promise<PackedRow[]> {
    const rows: PackedRow[] = [];
    for (let at = 0; at < attemptIds.length; at += UNPACKED_AT_ONCE) {
      for (const row of await packedResults(this.#sql, attemptIds.slice(at, at + UNPACKED_AT_ONCE))) rows.push(row);
    }
    return rows;
  }
}

async function packedResults(sql: Queries, attemptIds: readonly string[]): Promise<PackedRow[]> {
  return packResults(
    await sql.rows(
      PACKED_RESULT,
      `select attempt_id, role, suite, test, position, verdict, reason, stored_at from result
       where attempt_id = any($1) order by attempt_id, suite, position, test, role`,
      [attemptIds],
    ),
  );
}

function withoutPacked(attemptIds: readonly string[], packed: readonly { attemptId: string }[]): string[] {
  const have = new Set(packed.map(({ attemptId }) => attemptId));
  return attemptIds.filter((id) => !have.has(id));
}
