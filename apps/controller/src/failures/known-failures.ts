import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { KNOWN_DAYS_MAX, type NewKnownFailure } from '@peerlab/contracts';
import { announce } from '../platform/database/bus.js';
import { columnsOf, pick, text } from '../platform/database/row-shape.js';
import { storable } from '../platform/database/storable.js';
import { Sql } from '../platform/database/sql.js';
import { notFound, ProblemError } from '../platform/http/problem.js';
import { Result } from '../schema/results.js';
import { FAILURE_VERDICTS, failureOf, isFailure } from './same-failure.js';

const DAY_MS = 86_400_000;

/** Writes the marks of known failures. */
@Injectable()
export class KnownFailures {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /**
   * Marks the failure of a result as known; a mark that stands is replaced. Throws a 404 problem when there is no such
   * failed result, and 422 for an end in the past or too far ahead.
   */
  async mark(attempt: string, { suite, test, reason, until }: NewKnownFailure, by: string): Promise<void> {
    const end = Date.parse(until);
    if (end <= Date.now() || end > Date.now() + KNOWN_DAYS_MAX * DAY_MS) {
      const message = `it has to end in the future, within ${KNOWN_DAYS_MAX} days`;
      throw new ProblemError(422, 'invalid-until', 'the end of the mark is not valid', {
        detail: `until: ${message}`,
        errors: [{ path: 'until', message }],
      });
    }
    const result = await this.#sql.one(
      { ...pick(columnsOf(Result), 'verdict'), failure: text },
      `select s.verdict, ${failureOf('s')} as failure from result s
       where s.attempt_id = $1 and s.suite = $2 and s.test = $3 and ${isFailure('s', '$4')}
       order by array_position($4::text[], s.verdict), s.role limit 1`,
      [attempt, suite, test, FAILURE_VERDICTS],
    );
    if (result === null) throw notFound('failed result', `${suite}/${test}`);
    await this.#sql.run(
      `insert into known_failure (id, suite, test, failure, verdict, reason, by, until)
       values ($1, $2, $3, $4, $5, $6, $7, $8)
       on conflict (suite, test, failure) where ended_at is null do update set reason = excluded.reason,
         by = excluded.by, until = excluded.until, at = clock_timestamp()`,
      [randomUUID(), suite, test, result.failure, result.verdict, storable(reason), by, new Date(end)],
    );
    await announce(this.#sql, { type: 'changed', topics: ['grid'] });
  }

  /** Withdraws a mark; does nothing when that was done. Throws a 404 problem. */
  async end(id: string, by: string): Promise<void> {
    if (!(await this.#sql.exists('select 1 from known_failure where id = $1', [id]))) throw notFound('mark', id);
    await this.#sql.run(
      'update known_failure set ended_at = clock_timestamp(), ended_by = $2 where id = $1 and ended_at is null',
      [id, by],
    );
    await announce(this.#sql, { type: 'changed', topics: ['grid'] });
  }
}
