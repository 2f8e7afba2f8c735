import { Injectable } from '@nestjs/common';
import { bySeverity, RUN_FAILURES_MAX, type RunFailures } from '@peerlab/contracts';
import { kernelOf } from '../platform/database/role-kernel.js';
import { columnsOf, integer, json, nullable, pick, text, time, uuid } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';
import { Participant } from '../schema/attempts.js';
import { failedView } from './failed-view.js';
import {
  ATTEMPTS,
  BASE_KEY,
  knownSql,
  knownView,
  RESULTS,
  type FailureSource,
  type KnownJson,
} from './same-failure.js';

const FAILURE = {
  ...pick(columnsOf(Participant), 'machine'),
  attempt_id: uuid,
  suite: text,
  test: text,
  kind: text,
  build: text,
  failure: text,
  what: nullable(text),
  earlier: integer,
  first_at: time,
  known: nullable(json<KnownJson>()),
  total: integer,
};

/**
 * The first $4 failures of a source in run $1, or in its attempt $3, by the order of $2 = source.kinds, each with how often
 * it was seen before.
 */
const failuresOf = (own: FailureSource): string => {
  const past = own.as('o');
  return `
    with own as (
      select ${own.attempt} as attempt_id, ${own.suite} as suite, ${own.test} as test, ${own.kind} as kind,
        coalesce(${own.signature}, ${own.reason}) as what, ${own.position} as position, ${own.key} as failure, ${own.machine} as machine,
        b.name as build, ${BASE_KEY} as base, r.created_at as submitted_at, r.purpose, (count(*) over ())::int as total
      from run r join job j on j.run_id = r.id join attempt t on t.job_id = j.id
        join ${own.rows} on ${own.attempt} = t.id and ${own.isFailure('$2')}
        ${kernelOf(own.role)}
      where r.id = $1 and ($3::uuid is null or t.id = $3)
      order by array_position($2::text[], ${own.kind}), ${own.suite}, ${own.position}, ${own.test}, ${own.attempt} limit $4),
    past as (
      select same.failure, same.suite, same.test, min(${past.at}) as first_at,
        (count(*) filter (where orun.created_at < same.submitted_at))::int as earlier
      from (select distinct failure, suite, test, submitted_at, purpose from own) same
        join ${past.rows} on ${past.key} = same.failure and ${past.suite} = same.suite and ${past.test} = same.test
          and ${past.isFailure('$2')}
        join attempt ot on ot.id = ${past.attempt} join job oj on oj.id = ot.job_id join run orun on orun.id = oj.run_id and orun.purpose = same.purpose
      group by same.failure, same.suite, same.test)
    select own.attempt_id, own.suite, own.test, own.kind, own.machine, own.build, own.failure, own.total, own.what,
      past.earlier, past.first_at,
      ${knownSql({ suite: 'own.suite', test: 'own.test', failure: 'own.failure', base: 'own.base' })} as known
    from own join past using (failure, suite, test)
    order by array_position($2::text[], own.kind), own.suite, own.position, own.test, own.attempt_id`;
};

/** Reads the failures of a run, each with how often it was seen before. */
@Injectable()
export class RunFailuresView {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /**
   * The first RUN_FAILURES_MAX failed attempts and results of a run, or of one attempt of it, the worst first and of equals
   * the attempts. Throws a 404 problem.
   */
  async of(run: string, attempt: string | null): Promise<RunFailures> {
    const isKnown = await this.#sql.exists('select 1 from run where id = $1', [run]);
    if (!isKnown) throw notFound('run', run);
    const found = await Promise.all(
      [ATTEMPTS, RESULTS].map((source) =>
        this.#sql.rows(FAILURE, failuresOf(source), [run, source.kinds, attempt, RUN_FAILURES_MAX]),
      ),
    );
    const failures = found.flat().map((row) => ({
      ...failedView(row),
      attemptId: row.attempt_id,
      machine: row.machine,
      build: row.build,
      key: row.failure,
      what: row.what,
      earlier: row.earlier,
      firstAt: row.first_at.toISOString(),
      known: row.known === null ? null : knownView(row.known),
    }));
    return {
      total: found.reduce((sum, rows) => sum + (rows[0]?.total ?? 0), 0),
      failures: failures.toSorted((x, y) => bySeverity(x.verdict, y.verdict)).slice(0, RUN_FAILURES_MAX),
    };
  }
}
