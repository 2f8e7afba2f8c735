import { Injectable } from '@nestjs/common';
import { RUN_FAILURES_MAX, type RunFailures } from '@peerlab/contracts';
import { columnsOf, integer, json, nullable, pick, text, time } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';
import { Participant } from '../schema/attempts.js';
import { Result } from '../schema/results.js';
import { FAILURE_VERDICTS, failureOf, isFailure, knownView } from './same-failure.js';

/** A mark as JSON: its times are texts. */
interface KnownJson {
  id: string;
  reason: string;
  by: string;
  at: string;
  until: string;
  ended_by: string | null;
  ended_at: string | null;
}

const FAILURE = {
  ...pick(columnsOf(Result), 'attempt_id', 'suite', 'test', 'verdict'),
  ...pick(columnsOf(Participant), 'machine'),
  build: text,
  failure: text,
  what: nullable(text),
  earlier: integer,
  first_at: time,
  known: nullable(json<KnownJson>()),
  total: integer,
};

/** Reads the failures of a run, each with how often it was seen before. */
@Injectable()
export class RunFailuresView {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** The first RUN_FAILURES_MAX failed results of a run, or of one attempt of it. Throws a 404 problem. */
  async of(run: string, attempt: string | null): Promise<RunFailures> {
    const isKnown = await this.#sql.exists('select 1 from run where id = $1', [run]);
    if (!isKnown) throw notFound('run', run);
    const rows = await this.#sql.rows(
      FAILURE,
      `with own as (
         select s.*, ${failureOf('s')} as failure, p.machine, j.build_name as build, r.created_at as submitted_at,
           (count(*) over ())::int as total
         from run r join job j on j.run_id = r.id join attempt t on t.job_id = j.id
           join result s on s.attempt_id = t.id and ${isFailure('s', '$2')}
           join participant p on p.attempt_id = t.id and p.role = s.role
         where r.id = $1 and ($3::uuid is null or t.id = $3)
         order by array_position($2::text[], s.verdict), s.suite, s.position, s.test, s.attempt_id limit $4),
       past as (
         select kind.failure, kind.suite, kind.test, min(o.stored_at) as first_at,
           (count(*) filter (where orun.created_at < kind.submitted_at))::int as earlier
         from (select distinct failure, suite, test, submitted_at from own) kind
           join result o on ${failureOf('o')} = kind.failure and o.suite = kind.suite and o.test = kind.test
             and ${isFailure('o', '$2')}
           join attempt ot on ot.id = o.attempt_id join job oj on oj.id = ot.job_id join run orun on orun.id = oj.run_id
         group by kind.failure, kind.suite, kind.test)
       select own.attempt_id, own.suite, own.test, own.verdict, own.machine, own.build, own.failure, own.total,
         coalesce(own.signature, own.reason) as what, past.earlier, past.first_at,
         (select to_jsonb(k) from known_failure k
          where k.suite = own.suite and k.test = own.test and k.failure = own.failure order by k.at desc limit 1) as known
       from own join past using (failure, suite, test)
       order by array_position($2::text[], own.verdict), own.suite, own.position, own.test, own.attempt_id`,
      [run, FAILURE_VERDICTS, attempt, RUN_FAILURES_MAX],
    );
    return {
      total: rows[0]?.total ?? 0,
      failures: rows.map((row) => ({
        attemptId: row.attempt_id,
        machine: row.machine,
        build: row.build,
        suite: row.suite,
        test: row.test,
        verdict: row.verdict,
        failure: row.failure,
        what: row.what,
        earlier: row.earlier,
        firstAt: row.first_at.toISOString(),
        known: row.known === null ? null : knownView(withDates(row.known)),
      })),
    };
  }
}

function withDates({ at, until, ended_at, ...known }: KnownJson): Parameters<typeof knownView>[0] {
  return {
    ...known,
    at: new Date(at),
    until: new Date(until),
    ended_at: ended_at === null ? null : new Date(ended_at),
  };
}
