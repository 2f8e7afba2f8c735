import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { type NewKnownFailure } from '@peerlab/contracts';
import { announce } from '../platform/database/bus.js';
import { text } from '../platform/database/row-shape.js';
import { storable } from '../platform/database/storable.js';
import { Sql } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';
import { Baselines } from './baselines.js';
import { endOfMark } from './end-of-mark.js';
import { failedView } from './failed-view.js';
import { isSubject, noFailure, type NamedFailure } from './same-failure.js';

/** Writes the marks of known failures. */
@Injectable()
export class KnownFailures {
  readonly #sql: Sql;
  readonly #baselines: Baselines;

  constructor(sql: Sql, baselines: Baselines) {
    this.#sql = sql;
    this.#baselines = baselines;
  }

  /**
   * Marks a failure of an attempt as known; a mark that stands is replaced. Throws a 404 problem when there is no such
   * failure, and 422 for an end in the past or too far ahead.
   */
  async mark(
    attempt: string,
    subject: NamedFailure,
    { reason, until }: Pick<NewKnownFailure, 'reason' | 'until'>,
    by: string,
  ): Promise<void> {
    const end = endOfMark(until);
    const { source } = subject;
    const failed = await this.#sql.one(
      { suite: text, test: text, kind: text, failure: text },
      `select ${source.suite} as suite, ${source.test} as test, ${source.kind} as kind, ${source.key} as failure
       from ${source.rows} where ${isSubject(source)} order by array_position($4::text[], ${source.kind}) limit 1`,
      [attempt, subject.suite, subject.test, source.kinds],
    );
    if (failed === null) throw noFailure(subject, attempt);
    const { suite, test, failure } = failed;
    const { verdict } = failedView(failed);
    await this.#sql.run(
      `insert into known_failure (id, suite, test, failure, verdict, reason, by, until)
       values ($1, $2, $3, $4, $5, $6, $7, $8)
       on conflict (suite, test, failure) where ended_at is null do update set reason = excluded.reason,
         by = excluded.by, until = excluded.until, at = clock_timestamp()`,
      [randomUUID(), suite, test, failure, verdict, storable(reason), by, end],
    );
    await announce(this.#sql, { type: 'changed', topics: ['grid'] });
  }

  /** Withdraws a mark, or a baseline; does nothing when that was done. Throws a 404 problem. */
  async end(id: string, by: string): Promise<void> {
    if (!(await this.#sql.exists('select 1 from known_failure where id = $1', [id]))) {
      if (!(await this.#baselines.end(id, by))) throw notFound('mark', id);
    }
    await this.#sql.run(
      'update known_failure set ended_at = clock_timestamp(), ended_by = $2 where id = $1 and ended_at is null',
      [id, by],
    );
    await announce(this.#sql, { type: 'changed', topics: ['grid'] });
  }
}
