import { FLAKINESS_WINDOW } from '@peerlab/contracts';
import { text, uuid, type RowOf } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { IS_TESTED } from './tested-jobs.js';

const RECENT = { attempt: uuid, combination: text, kernel: text };

/** An attempt with the combination and the kernel (its bundle, or else its build) that it tested; of several roles those of all. */
export type RecentAttempt = RowOf<typeof RECENT>;

/** Every combination × build name that was tested, as the query `pair`: hops along job_newest. */
const TESTED_PAIRS = `
  with recursive pair as (
    (select combination, build_name from job where ${IS_TESTED} order by combination, build_name limit 1)
    union all
    select following.* from pair cross join lateral (
      select combination, build_name from job
      where ${IS_TESTED} and (combination, build_name) > (pair.combination, pair.build_name)
      order by combination, build_name limit 1) following
  )`;

/** The newest FLAKINESS_WINDOW attempts of each combination (or of one) and build name, newest first. */
export function readRecentAttempts(sql: Queries, combination: string | null): Promise<RecentAttempt[]> {
  return sql.rows(
    RECENT,
    `${TESTED_PAIRS}
      select recent.attempt, pair.combination, recent.kernel from pair cross join lateral (
        select t.id as attempt, j.ended_at, t.number,
          case when j.roles = 1 then coalesce(b.bundle_key, b.id::text) else (
            select string_agg(coalesce(other.bundle_key, other.id::text), ' ' order by o.position)
            from job_role o join build other on other.id = o.build_id where o.job_id = j.id) end as kernel
        from (select id, build_id, roles, ended_at from job where ${IS_TESTED}
            and combination = pair.combination and build_name = pair.build_name
            order by ended_at desc limit ${FLAKINESS_WINDOW}) j
          join attempt t on t.job_id = j.id join build b on b.id = j.build_id
        order by j.ended_at desc, t.number desc limit ${FLAKINESS_WINDOW}) recent
      where pair.combination is not null ${combination === null ? '' : 'and pair.combination = $1'}
      order by recent.ended_at desc, recent.number desc`,
    combination === null ? [] : [combination],
  );
}
