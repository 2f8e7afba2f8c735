import { Injectable } from '@nestjs/common';
import {
  buildOfSide,
  changesOfLines,
  medianOf,
  OVERVIEW_LINES_MAX,
  OVERVIEW_POINTS_MAX,
  type Combination,
  type OverviewLine,
  type TrendOverview,
} from '@peerlab/contracts';
import { readCombinations } from '../grid/combinations.js';
import { ofKernels } from '../platform/database/purpose.js';
import { SIDE, SIDE_SQL, sideOf } from '../platform/database/role-kernel.js';
import { columnsOf, integer, nullable, pick, text, type RowOf } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { Measurement } from '../schema/results.js';
import { Job } from '../schema/runs.js';
import { METRIC_HOPS } from './trend.js';

const POINT = {
  ...pick(columnsOf(Measurement), 'suite', 'name', 'unit', 'better', 'median', 'stored_at', 'attempt_id'),
  ...pick(columnsOf(Job), 'run_id'),
  n: integer,
  combination: text,
  build: text,
  build_id: nullable(text),
  ...SIDE,
};
export type OverviewPoint = RowOf<typeof POINT>;

/** The newest measurements of each metric, oldest first; one more of each than is shown. A build's manifest is read once. */
export const OVERVIEW_SQL = `
  with recursive ${METRIC_HOPS},
  point as materialized (
    select k.suite, k.name, m.unit, m.better, m.median, m.stored_at, m.attempt_id, m.seq, m.n, j.run_id, j.combination,
      coalesce(o.build_id, j.build_id) as build_id, ${SIDE_SQL}
    from metric k cross join lateral (
        select role, unit, better, median, stored_at, attempt_id, seq, cardinality(samples) as n from measurement
        where suite = k.suite and name = k.name order by stored_at desc, attempt_id desc limit ${OVERVIEW_POINTS_MAX + 1}) m
      join attempt t on t.id = m.attempt_id join job j on j.id = t.job_id
      left join job_role o on o.job_id = j.id and o.role = m.role
    where j.combination is not null and ${ofKernels()}),
  built as materialized (
    select b.id, b.name, u.manifest ->> 'buildId' as build_id from build b left join bundle u on u.key = b.bundle_key
    where b.id in (select build_id from point))
  select p.suite, p.name, p.unit, p.better, p.median, p.stored_at, p.attempt_id, p.n, p.run_id, p.combination,
    built.name as build, built.build_id, p.role, p.facing
  from point p join built on built.id = p.build_id order by p.stored_at, p.attempt_id, p.seq`;

/** Every metric on every combination in short. */
@Injectable()
export class OverviewView {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async read(): Promise<TrendOverview> {
    const points = await this.#sql.rows(POINT, OVERVIEW_SQL);
    const hashes = new Set(points.map(({ combination }) => combination));
    return arrangeOverview(points, await readCombinations(this.#sql, hashes));
  }
}

/** Points (oldest first) as lines by metric, combination and build name with its side; those that changed most first. Pure. */
export function arrangeOverview(points: readonly OverviewPoint[], all: readonly Combination[]): TrendOverview {
  const counts = new Map<string, number>();
  for (const { suite, name } of points) counts.set(`${suite}\n${name}`, (counts.get(`${suite}\n${name}`) ?? 0) + 1);
  const known = new Map(all.map((combination) => [combination.hash, combination]));
  const groups = new Map<string, [OverviewPoint, ...OverviewPoint[]]>();
  for (const point of points) {
    if (!known.has(point.combination)) continue;
    const key = [
      point.suite,
      point.name,
      point.combination,
      buildOfSide({ build: point.build, ...sideOf(point) }),
      point.unit,
      point.better,
    ].join('\n');
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [point]);
    else group.push(point);
  }
  const grouped = [...groups].toSorted(([x], [y]) => (x < y ? -1 : 1)).map(([, group]) => group);
  const changes = changesOfLines(
    grouped.map((group) =>
      group.map(({ median, run_id: runId, build_id: buildId }) => ({ median, runId, kernel: { buildId } })),
    ),
  );
  const lines = grouped
    .map((group, index) => ({ group, change: changes[index]?.at(-1) ?? null, ratio: ratioOf(group) }))
    .toSorted((x, y) => weightOf(y) - weightOf(x))
    .slice(0, OVERVIEW_LINES_MAX);
  const combinations = [...new Set(lines.map(({ group: [first] }) => first.combination))].flatMap(
    (hash) => known.get(hash) ?? [],
  );
  return {
    combinations,
    lines: lines.map(({ group, change, ratio }): OverviewLine => {
      const [first] = group;
      const { suite, name: metric, unit, better, build, combination: hash } = first;
      return {
        suite,
        metric,
        unit,
        better,
        combination: combinations.findIndex((each) => each.hash === hash),
        build,
        ...sideOf(first),
        medians: group.map(({ median }) => median),
        attempts: group.map(({ attempt_id }) => attempt_id),
        n: group.reduce((sum, { n }) => sum + n, 0),
        at: (group.at(-1)?.stored_at ?? new Date(0)).toISOString(),
        change,
        ratio,
      };
    }),
    linesTotal: grouped.length,
    isCut: [...counts.values()].some((count) => count > OVERVIEW_POINTS_MAX),
  };
}

function ratioOf(group: readonly OverviewPoint[]): number | null {
  const newest = group.at(-1)?.median ?? 0;
  const before = group.slice(0, -1).map(({ median }) => median);
  if (before.length === 0 || newest <= 0 || before.some((median) => median <= 0)) return null;
  return newest / medianOf(before);
}

/** Lines whose level moved stand before all others; both by how far, as factors in either direction. */
function weightOf({ change, ratio }: { change: OverviewLine['change']; ratio: number | null }): number {
  if (change !== null) return 1e6 + Math.abs(Math.log(change.after / change.before));
  return ratio === null ? -1 : Math.abs(Math.log(ratio));
}
