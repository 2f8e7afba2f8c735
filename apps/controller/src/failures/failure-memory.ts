import { Injectable } from '@nestjs/common';
import { FAILURE_PLACES_MAX, type FailureMemory, type FailureSighting, type RunPurpose } from '@peerlab/contracts';
import { kernelOf } from '../platform/database/role-kernel.js';
import {
  columnsOf,
  integer,
  json,
  nullable,
  pick,
  text,
  time,
  uuid,
  type RowOf,
} from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { Participant } from '../schema/attempts.js';
import { Run } from '../schema/runs.js';
import { failedView } from './failed-view.js';
import {
  ATTEMPTS,
  BASE_KEY,
  isSubject,
  knownSql,
  knownView,
  noFailure,
  type FailureSource,
  type KnownJson,
  type NamedFailure,
} from './same-failure.js';

const THIS = {
  suite: text,
  test: text,
  kind: text,
  failure: text,
  what: nullable(text),
  purpose: columnsOf(Run).purpose,
  submitted_at: time,
  base: nullable(text),
};
const SIGHTING = {
  ...pick(columnsOf(Participant), 'machine'),
  at: time,
  attempt_id: uuid,
  build: text,
  run_id: columnsOf(Run).id,
  run_name: columnsOf(Run).name,
};
const COUNTS = { count: integer, earlier: integer, combinations: integer, kernels: integer };
const PLACE = { hash: nullable(text), label: nullable(text), count: integer };
const KERNEL = {
  build: text,
  build_uuid: uuid,
  release: nullable(text),
  build_id: nullable(text),
  count: integer,
};

/** What has the failure $1 of the test $2, $3; $4 = the kinds of the source. What health checks find is no failure of a test. */
const seen = (
  { rows, key, suite, test, attempt, role, isFailure }: FailureSource,
  purpose: RunPurpose,
): string => `${rows}
  join attempt t on t.id = ${attempt} join job j on j.id = t.job_id join run r on r.id = j.run_id
  ${kernelOf(role)}
  where ${key} = $1 and ${suite} = $2 and ${test} = $3 and ${isFailure('$4')} and r.purpose = '${purpose}'`;
/** A kernel is its build-id; a build without one stands for itself. */
const KERNEL_KEY = `coalesce(u.manifest ->> 'buildId', b.id::text)`;

/** Reads where else a failure was seen. Only results that retention has not removed are remembered. */
@Injectable()
export class FailureMemoryView {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** What is known of a failure of an attempt. Throws a 404 problem when there is no such failure. */
  async of(attemptId: string, subject: NamedFailure): Promise<FailureMemory> {
    const { source } = subject;
    const { rows, key, suite, test, kind, signature, reason, attempt, role, machine, at, isFailure } = source;
    const own = await this.#sql.one(
      THIS,
      `select ${suite} as suite, ${test} as test, ${kind} as kind, ${key} as failure,
         coalesce(${signature}, ${reason}) as what, r.purpose, r.created_at as submitted_at, ${BASE_KEY} as base
       from ${rows} join attempt t on t.id = ${attempt} join job j on j.id = t.job_id join run r on r.id = j.run_id
         ${kernelOf(role)}
       where ${isSubject(source)} order by array_position($4::text[], ${kind}) limit 1`,
      [attemptId, subject.suite, subject.test, source.kinds],
    );
    if (own === null) throw noFailure(subject, attemptId);
    const same = [own.failure, own.suite, own.test, source.kinds];
    const SEEN = seen(source, own.purpose);
    const COLUMNS = `${machine} as machine, ${at} as at, t.id as attempt_id, b.name as build, r.id as run_id, r.name as run_name`;
    const isEarlier = 'r.created_at < $5';
    const [counts, first, last, before, combinations, kernels, others, known] = await Promise.all([
      this.#sql.one(
        COUNTS,
        `select count(*)::int as count, (count(*) filter (where ${isEarlier}))::int as earlier,
           count(distinct j.combination)::int as combinations, count(distinct ${KERNEL_KEY})::int as kernels
         from ${SEEN}`,
        [...same, own.submitted_at],
      ),
      this.#sql.one(SIGHTING, `select ${COLUMNS} from ${SEEN} order by ${at}, t.id limit 1`, same),
      this.#sql.one(SIGHTING, `select ${COLUMNS} from ${SEEN} order by ${at} desc, t.id desc limit 1`, same),
      this.#sql.one(
        SIGHTING,
        `select ${COLUMNS} from ${SEEN} and ${isEarlier} order by ${at} desc, t.id desc limit 1`,
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
        `select (array_agg(b.name order by ${at} desc))[1] as build,
           (array_agg(b.id order by ${at} desc))[1] as build_uuid, min(u.manifest ->> 'release') as release,
           min(u.manifest ->> 'buildId') as build_id, count(*)::int as count
         from ${SEEN} group by ${KERNEL_KEY} order by max(${at}) desc limit $5`,
        [...same, FAILURE_PLACES_MAX],
      ),
      // Attempts fail once each: other stages with the same message are no other tests.
      source === ATTEMPTS
        ? null
        : this.#sql.one(
            { count: integer },
            `select count(distinct (${suite}, ${test}))::int as count from ${rows}
             where ${key} = $1 and (${suite}, ${test}) <> ($2, $3) and ${isFailure('$4')}`,
            same,
          ),
      this.#sql.one(
        { known: nullable(json<KnownJson>()) },
        `select ${knownSql({ suite: '$1::text', test: '$2::text', failure: '$3::text', base: '$4::text' })} as known`,
        [own.suite, own.test, own.failure, own.base],
      ),
    ]);
    // Retention may remove the result between two of the statements.
    if (counts === null || first === null || last === null) throw noFailure(subject, attemptId);
    return {
      ...failedView(own),
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
      known: known?.known == null ? null : knownView(known.known),
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
