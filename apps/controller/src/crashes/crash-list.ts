import { Injectable } from '@nestjs/common';
import { CRASH_TYPES, type CrashList, type CrashQuery, type CrashSummary } from '@peerlab/contracts';
import { bool, columnsOf, integer, pick, uuid, type RowOf } from '../platform/database/row-shape.js';
import { ofKernels } from '../platform/database/purpose.js';
import { Sql } from '../platform/database/sql.js';
import { CrashRow } from '../schema/crashes.js';
import { KERNEL_KEY, SEEN, SIGHTING, SIGHTING_COLUMNS, sightingOf, type SightingRow } from './sightings.js';

const GROUP = {
  ...pick(columnsOf(CrashRow), 'key', 'title', 'type', 'corrupted'),
  ends: bool,
  count: integer,
  combinations: integer,
  kernels: integer,
  first: uuid,
  last: uuid,
  total: integer,
};

/** Reads crashes grouped by title. */
@Injectable()
export class CrashListView {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Of tests of kernels: what health checks found is about machines. */
  async list({ q = '', limit }: CrashQuery): Promise<CrashList> {
    const groups = await this.#groups(
      `${ofKernels()} and ($1 = '' or position(lower($1) in lower(c.title)) > 0)`,
      q,
      limit,
    );
    return { crashes: await this.#summaries(groups), total: groups[0]?.total ?? 0 };
  }

  /** One crash; null when no log has it. */
  async one(key: string): Promise<CrashSummary | null> {
    const [summary] = await this.#summaries(await this.#groups('c.key = $1', key, 1));
    return summary ?? null;
  }

  /** @param condition SQL over `crash c`, with `value` as $1 */
  #groups(condition: string, value: string, limit: number): Promise<RowOf<typeof GROUP>[]> {
    return this.#sql.rows(
      GROUP,
      `select c.key, min(c.title) as title, min(c.type) as type, bool_and(c.corrupted) as corrupted,
         bool_or(c.severity = 'crash') as ends, count(distinct t.id)::int as count,
         count(distinct part.combination)::int as combinations, count(distinct ${KERNEL_KEY})::int as kernels,
         (array_agg(c.participant_id order by t.started_at, c.participant_id))[1] as first,
         (array_agg(c.participant_id order by t.started_at desc, c.participant_id desc))[1] as last,
         (count(*) over ())::int as total
       from ${SEEN} where ${condition} group by c.key order by max(t.started_at) desc, c.key limit $2`,
      [value, limit],
    );
  }

  async #summaries(groups: readonly RowOf<typeof GROUP>[]): Promise<CrashSummary[]> {
    if (groups.length === 0) return [];
    const rows = await this.#sql.rows(
      SIGHTING,
      `select ${SIGHTING_COLUMNS} from ${SEEN}
       where (c.participant_id, c.key) in (select * from unnest($1::uuid[], $2::text[]))`,
      [groups.flatMap(({ first, last }) => [first, last]), groups.flatMap(({ key }) => [key, key])],
    );
    const byPlace = new Map<string, SightingRow>(rows.map((row) => [`${row.participant_id} ${row.key}`, row]));
    return groups.flatMap(({ key, title, type, corrupted, ends, count, combinations, kernels, ...ids }) => {
      const [first, last] = [byPlace.get(`${ids.first} ${key}`), byPlace.get(`${ids.last} ${key}`)];
      // Retention may remove it between the two statements.
      if (first === undefined || last === undefined) return [];
      const severity = ends ? ('crash' as const) : ('warning' as const);
      const known = CRASH_TYPES.find((each) => each === type) ?? 'bug';
      const places = { first: sightingOf(first), last: sightingOf(last) };
      return [{ key, title, type: known, severity, corrupted, count, combinations, kernels, ...places }];
    });
  }
}
