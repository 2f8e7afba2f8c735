import { Injectable } from '@nestjs/common';
import {
  CRASH_PLACES_MAX,
  type CallPlace,
  type CrashDetail,
  type CrashPlace,
  VERDICT_TABLE,
  VERDICTS,
} from '@peerlab/contracts';
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
import { ofKernels } from '../platform/database/purpose.js';
import { Sql } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';
import { CrashRow } from '../schema/crashes.js';
import { CALL_SOURCES } from './call-sources.js';
import { CrashListView } from './crash-list.js';
import { crashSightingOf, KERNEL_KEY, SEEN, SIGHTING, SIGHTING_COLUMNS, sightingOf } from './sightings.js';

const WHOLE = { ...pick(columnsOf(CrashRow), 'frames', 'taint'), sources: json<CallPlace[]>(), build: nullable(uuid) };
const TEST = { suite: text, test: text, count: integer };
const BUILD = { id: uuid, name: text, release: nullable(text), count: integer };
const PLACE = {
  hash: nullable(text),
  label: nullable(text),
  count: integer,
  first: uuid,
  last: uuid,
  good_at: nullable(time),
  good_attempt: nullable(uuid),
  good_machine: nullable(text),
  good_build: nullable(text),
  good_run: nullable(uuid),
  good_run_name: nullable(text),
};

/** Verdicts of tests that did not run to their end. */
const DID_NOT_RUN = `'{${VERDICTS.filter((verdict) => verdict === 'crash' || !VERDICT_TABLE[verdict].conclusive).join(',')}}'::text[]`;

/** Reads where a crash was seen: since when, and where not before. */
@Injectable()
export class CrashDetailView {
  readonly #sql: Sql;
  readonly #list: CrashListView;

  constructor(sql: Sql, list: CrashListView) {
    this.#sql = sql;
    this.#list = list;
  }

  /** Throws a 404 problem when no log has it. */
  async of(key: string): Promise<CrashDetail> {
    const summary = await this.#list.one(key);
    if (summary === null) throw notFound('crash', key);
    const [whole, tests, builds, sightings, places] = await Promise.all([
      this.#sql.one(
        WHOLE,
        `select frames, taint, ${CALL_SOURCES} as sources, (
           select part.build_id from participant p join attempt t on t.id = p.attempt_id
             join job_part part on part.job_id = t.job_id and part.role = p.role where p.id = c.participant_id) as build
         from crash c where key = $1 order by corrupted, at desc, participant_id limit 1`,
        [key],
      ),
      this.#sql.rows(
        TEST,
        `select c.suite, c.test, count(*)::int as count from crash c where c.key = $1 and c.suite is not null
         group by c.suite, c.test order by count(*) desc, c.suite, c.test limit $2`,
        [key, CRASH_PLACES_MAX],
      ),
      this.#sql.rows(
        BUILD,
        `select (array_agg(b.id order by t.started_at desc))[1] as id, (array_agg(b.name order by t.started_at desc))[1] as name,
           min(u.manifest ->> 'release') as release, count(distinct t.id)::int as count
         from ${SEEN} where c.key = $1 group by ${KERNEL_KEY} order by max(t.started_at) desc limit $2`,
        [key, CRASH_PLACES_MAX],
      ),
      this.#sql.rows(
        SIGHTING,
        `select ${SIGHTING_COLUMNS} from ${SEEN} where c.key = $1 order by t.started_at desc, c.participant_id limit $2`,
        [key, CRASH_PLACES_MAX],
      ),
      this.#places(key),
    ]);
    const { frames, taint, sources, build } = whole ?? { frames: [], taint: null, sources: [], build: null };
    const source = { sources, sourcesBuild: build };
    return { ...summary, frames, taint, ...source, tests, builds, places, sightings: sightings.map(crashSightingOf) };
  }

  async #places(key: string): Promise<CrashPlace[]> {
    const places = await this.#sql.rows(
      PLACE,
      `with place as (
         select part.combination as hash, count(distinct t.id)::int as count,
           (array_agg(c.participant_id order by t.started_at, c.participant_id))[1] as first,
           (array_agg(c.participant_id order by t.started_at desc, c.participant_id desc))[1] as last
         from ${SEEN} where c.key = $1 group by part.combination order by count(distinct t.id) desc, part.combination limit $2
       )
       select place.hash, x.label, place.count, place.first, place.last, good.at as good_at,
         good.attempt as good_attempt, good.machine as good_machine, good.build as good_build, good.run as good_run,
         good.run_name as good_run_name
       from place join crash bad on bad.participant_id = place.first and bad.key = $1
         join participant bp on bp.id = place.first join attempt bt on bt.id = bp.attempt_id
         left join combination x on x.hash = place.hash
         left join lateral (${LAST_GOOD}) good on true
       order by place.count desc, place.hash`,
      [key, CRASH_PLACES_MAX],
    );
    const seen = await this.#sql.rows(
      SIGHTING,
      `select ${SIGHTING_COLUMNS} from ${SEEN} where c.key = $1 and c.participant_id = any($2)`,
      [key, places.flatMap(({ first, last }) => [first, last])],
    );
    const byId = new Map(seen.map((row) => [row.participant_id, row]));
    return places.flatMap((place) => {
      const [first, last] = [byId.get(place.first), byId.get(place.last)];
      if (first === undefined || last === undefined) return [];
      return [
        {
          combination: place.hash === null ? null : { hash: place.hash, label: place.label ?? place.hash },
          count: place.count,
          first: sightingOf(first),
          last: sightingOf(last),
          lastGood: lastGoodOf(place),
        },
      ];
    });
  }
}

/** The newest attempt before `bt` on the combination of `place` that has no crash $1; with the test of `bad`, if known. */
const LAST_GOOD = `
  select coalesce(t.ended_at, t.started_at) as at, t.id as attempt, b.name as build, r.id as run, r.name as run_name,
    (select p.machine from participant p where p.attempt_id = t.id and p.role = part.role) as machine
  from job_part part join job j on j.id = part.job_id join attempt t on t.job_id = j.id
    join run r on r.id = j.run_id join build b on b.id = part.build_id
  where part.combination is not distinct from place.hash and j.kind = 'test' and ${ofKernels()} and t.state = 'ended' and t.failure is null
    and t.started_at < bt.started_at
    and not exists (select 1 from participant gp left join crash gc on gc.participant_id = gp.id and gc.key = $1
        left join crash_search waits on waits.participant_id = gp.id
      where gp.attempt_id = t.id and (gc.key is not null or waits.participant_id is not null))
    and (bad.suite is null or exists (select 1 from result s where s.attempt_id = t.id and s.suite = bad.suite
      and s.test = bad.test and s.verdict <> all(${DID_NOT_RUN})))
  order by t.started_at desc, t.id limit 1`;

function lastGoodOf(place: RowOf<typeof PLACE>): CrashPlace['lastGood'] {
  const { good_at: at, good_attempt, good_machine, good_build, good_run, good_run_name } = place;
  if (at === null || good_attempt === null || good_build === null || good_run === null || good_run_name === null)
    return null;
  return sightingOf({
    at,
    attempt_id: good_attempt,
    machine: good_machine,
    build: good_build,
    run_id: good_run,
    run_name: good_run_name,
  });
}
