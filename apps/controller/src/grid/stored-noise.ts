import { learnNoise, type MetricNoise, type StoredBoot } from '@peerlab/contracts';
import { columnsOf, integer, nullable, pick, text, uuid } from '../platform/database/row-shape.js';
import { ROLE_KERNELS_SQL } from '../platform/database/role-kernel.js';
import type { Queries } from '../platform/database/sql.js';
import { IS_TESTED } from './tested-jobs.js';
import { Measurement } from '../schema/results.js';
import { bootsOf, metricKey, ROLE_SQL, type MetricKey, type SideMetric } from './measured-boots.js';

/** Newest jobs whose boots teach the noise, of all combinations of an answer together. */
const JOBS_MAX = 600;

const STORED = {
  ...pick(columnsOf(Measurement), 'suite', 'name', 'unit', 'better', 'median', 'attempt_id'),
  role: nullable(text),
  n: integer,
  run_id: uuid,
  machine: text,
  combination: text,
  build_id: text,
};

/**
 * The newest `$2` ended jobs of each combination with their kernels, and what their attempts measured. In a job with several
 * roles nothing was changed where all of them boot the same kernels as before: what one measures depends on the others.
 */
export const NOISE_SQL = `
  with boot as materialized (
    select t.id, j.run_id, j.combination,
      case when j.roles > 1 then ${ROLE_KERNELS_SQL} else u.manifest ->> 'buildId' end as build_id
    from unnest($1::text[]) as c(hash) cross join lateral (
        select id, run_id, build_id, combination, roles from job where ${IS_TESTED} and combination = c.hash
        order by ended_at desc limit $2) j
      join build b on b.id = j.build_id join bundle u on u.key = b.bundle_key
      join attempt t on t.job_id = j.id and t.state = 'ended'
    where u.manifest ->> 'buildId' is not null)
  select m.suite, m.name, ${ROLE_SQL}, m.unit, m.better, m.median, cardinality(m.samples) as n, m.attempt_id, boot.run_id,
    p.machine, boot.combination, boot.build_id
  from boot join measurement m on m.attempt_id = boot.id
    join participant p on p.attempt_id = m.attempt_id and p.role = m.role and p.machine is not null`;

/** The noise of metrics, by metricKey, learnt from the newest stored boots on their combinations. */
export async function readNoise(sql: Queries, wanted: readonly MetricKey[]): Promise<Map<string, MetricNoise>> {
  const keys = new Set(wanted.map(metricKey));
  const hashes = [...new Set(wanted.map(({ combination }) => combination))];
  const each = Math.floor(JOBS_MAX / Math.max(1, hashes.length));
  if (hashes.length === 0 || each === 0) return new Map();
  const rows = await sql.rows(STORED, NOISE_SQL, [hashes, each]);
  const byMetric = new Map<string, Map<string, SideMetric[]>>();
  for (const { build_id: buildId, ...row } of rows) {
    const key = metricKey(row);
    if (!keys.has(key)) continue;
    const kernels = byMetric.get(key) ?? new Map<string, SideMetric[]>();
    byMetric.set(key, kernels);
    const own = kernels.get(buildId) ?? [];
    kernels.set(buildId, own);
    own.push(row);
  }
  return new Map(
    [...byMetric].map(([key, kernels]) => [
      key,
      learnNoise(
        [...kernels].flatMap(([buildId, own]) => bootsOf(own).map((boot): StoredBoot => ({ ...boot, buildId }))),
      ),
    ]),
  );
}
