import { Injectable } from '@nestjs/common';
import { FAILURE_PLACES_MAX, type FailureMemory, type FailureSighting } from '@peerlab/contracts';
import { columnsOf, integer, nullable, pick, text, time, type RowOf } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';
import { Participant } from '../schema/attempts.js';
import { Result } from '../schema/results.js';
import { Run } from '../schema/runs.js';
import { FAILURE_VERDICTS, failureOf, isFailure, KNOWN, knownView } from './same-failure.js';

const RESULT = columnsOf(Result);
const THIS = {
  ...pick(RESULT, 'suite', 'test', 'verdict'),
  failure: text,
  what: nullable(text),
  submitted_at: time,
};
const SIGHTING = {
  ...pick(columnsOf(Participant), 'machine'),
  at: RESULT.stored_at,
  attempt_id: RESULT.attempt_id,
  build: text,
  run_id: columnsOf(Run).id,
  run_name: columnsOf(Run).name,
};
const COUNTS = { count: integer, earlier: integer, combinations: integer, kernels: integer };
const PLACE = { hash: nullable(text), label: nullable(text), count: integer };
const KERNEL = {
  build: text,
  build_uuid: RESULT.attempt_id,
  release: nullable(text),
  build_id: nullable(text),
  count: integer,
};

/** Results with the failure $1 of the test $2, $3; $4 = FAILURE_VERDICTS. */
const SEEN = `result s join participant p on p.attempt_id = s.attempt_id and p.role = s.role
  join attempt t on t.id = s.attempt_id join job j on j.id = t.job_id join run r on r.id = j.run_id
  join build b on b.id = j.build_id left join bundle u on u.key = b.bundle_key
  where ${failureOf('s')} = $1 and s.suite = $2 and s.test = $3 and ${isFailure('s', '$4')}`;
const COLUMNS = `p.machine, s.stored_at as at, s.attempt_id, b.name as build, r.id as run_id, r.name as run_name`;
/** A kernel is its build-id; a build without one stands for itself. */
const KERNEL_KEY = `coalesce(u.manifest ->> 'buildId', b.id::text)`;

/** Reads where else a failure was seen. Only results that retention has not removed are remembered. */
@Injectable()
export class FailureMemoryView {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** What is known of the failure of a result. Throws a 404 problem when there is no such result or it is no failure. */
  async of(attempt: string, suite: string, test: string): Promise<FailureMemory> {
    const own = await this.#sql.one(
      THIS,
      `select s.suite, s.test, s.verdict, ${failureOf('s')} as failure, coalesce(s.signature, s.reason) as what,
         r.created_at as submitted_at
       from result s join attempt t on t.id = s.attempt_id join job j on j.id = t.job_id join run r on r.id = j.run_id
       where s.attempt_id = $1 and s.suite = $2 and s.test = $3 and ${isFailure('s', '$4')}
       order by array_position($4::text[], s.verdict), s.role limit 1`,
      [attempt, suite, test, FAILURE_VERDICTS],
    );
    if (own === null) throw notFound('failed result', `${suite}/${test}`);
    const same = [own.failure, suite, test, FAILURE_VERDICTS];
    const isEarlier = 'r.created_at < $5';
    const [counts, first, last, before, combinations, kernels, others, known] = await Promise.all([
      this.#sql.one(
        COUNTS,
        `select count(*)::int as count, (count(*) filter (where ${isEarlier}))::int as earlier,
           count(distinct j.combination)::int as combinations, count(distinct ${KERNEL_KEY})::int as kernels
         from ${SEEN}`,
        [...same, own.submitted_at],
      ),
      this.#sql.one(SIGHTING, `select ${COLUMNS} from ${SEEN} order by s.stored_at, s.attempt_id limit 1`, same),
      this.#sql.one(
        SIGHTING,
        `select ${COLUMNS} from ${SEEN} order by s.stored_at desc, s.attempt_id desc limit 1`,
        same,
      ),
      this.#sql.one(
        SIGHTING,
        `select ${COLUMNS} from ${SEEN} and ${isEarlier} order by s.stored_at desc, s.attempt_id desc limit 1`,
        [...same, own.submitted_at],
      ),
      this.#sql.rows(
        PLACE,
        `select seen.combination as hash, c.label, seen.count
         from (select j.combination, count(*)::int as count from ${SEEN} group by j.combination) seen
           left join combination c on c.hash = seen.combination
         order by seen.count desc, seen.combination limit $5`,
        [...same, FAILURE_PLACES_MAX],
      ),
      this.#sql.rows(
        KERNEL,
        `select (array_agg(b.name order by s.stored_at desc))[1] as build,
           (array_agg(b.id order by s.stored_at desc))[1] as build_uuid, min(u.manifest ->> 'release') as release,
           min(u.manifest ->> 'buildId') as build_id, count(*)::int as count
         from ${SEEN} group by ${KERNEL_KEY} order by max(s.stored_at) desc limit $5`,
        [...same, FAILURE_PLACES_MAX],
      ),
      this.#sql.one(
        { count: integer },
        `select count(distinct (s.suite, s.test))::int as count from result s
         where ${failureOf('s')} = $1 and (s.suite, s.test) <> ($2, $3) and ${isFailure('s', '$4')}`,
        same,
      ),
      this.#sql.one(
        KNOWN,
        `select id, reason, by, at, until, ended_by, ended_at from known_failure
         where failure = $1 and suite = $2 and test = $3 order by at desc limit 1`,
        same.slice(0, 3),
      ),
    ]);
    // Retention may remove the result between two of the statements.
    if (counts === null || first === null || last === null) throw notFound('failed result', `${suite}/${test}`);
    return {
      suite: own.suite,
      test: own.test,
      verdict: own.verdict,
      what: own.what,
      count: counts.count,
      earlier: counts.earlier,
      first: sighting(first),
      last: sighting(last),
      before: before === null ? null : sighting(before),
      combinations: combinations.map(({ hash, label, count }) => ({
        combination: hash === null ? null : { hash, label: label ?? hash },
        count,
      })),
      combinationCount: counts.combinations,
      kernels: kernels.map(({ build, build_uuid, release, build_id, count }) => ({
        build: { id: build_uuid, name: build },
        release,
        buildId: build_id,
        count,
      })),
      kernelCount: counts.kernels,
      otherTests: others?.count ?? 0,
      known: known === null ? null : knownView(known),
    };
  }
}

function sighting(row: RowOf<typeof SIGHTING>): FailureSighting {
  return {
    at: row.at.toISOString(),
    attemptId: row.attempt_id,
    machine: row.machine,
    build: row.build,
    run: { id: row.run_id, name: row.run_name },
  };
}
