import { columnsOf, json, nullable, pick, uuid, type RowOf } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { PlannedTest } from '../schema/results.js';
import { expectedTests, suitesOfJob } from '../verdicts/unreached.js';

type SuiteOutline = Parameters<typeof expectedTests>[1][number];

const WANTED = {
  job_id: uuid,
  build_id: uuid,
  wanted: json<string[]>(),
  own_suites: nullable(json<{ name: string }[]>()),
};
const SUITES = { build_id: uuid, suites: nullable(json<SuiteOutline[]>()) };
const PLANNED = pick(columnsOf(PlannedTest), 'attempt_id', 'suite', 'test', 'position');

/** Tests of a suite that a column will have. */
export interface PlannedColumn {
  column: number;
  suite: string;
  tests: readonly string[];
  positions: readonly number[];
}

/** The tests that the jobs of these columns are to run, for those that have not ended. */
export async function readPlanned(
  sql: Queries,
  columns: readonly { job_id: string; attempt_id: string | null; state: string }[],
): Promise<PlannedColumn[]> {
  const open = columns.flatMap((each, column) => (each.state === 'ended' ? [] : [{ ...each, column }]));
  if (open.length === 0) return [];
  const wanted = await sql.rows(
    WANTED,
    `select j.id as job_id, j.build_id, coalesce(to_jsonb(j.suites), r.spec -> 'suites') as wanted, r.spec -> 'ownSuites' as own_suites
     from job j join run r on r.id = j.run_id where j.id = any($1)`,
    [open.map(({ job_id: id }) => id)],
  );
  const [built, announced] = await Promise.all([
    // Hundreds of jobs may share a build, whose manifest is long.
    sql.rows(
      SUITES,
      `select b.id as build_id, u.manifest -> 'suites' as suites
       from build b left join bundle u on u.key = b.bundle_key where b.id = any($1)`,
      [[...new Set(wanted.map(({ build_id: id }) => id))]],
    ),
    sql.rows(
      PLANNED,
      'select attempt_id, suite, test, position from planned_test where attempt_id = any($1) order by position',
      [open.flatMap(({ attempt_id: id }) => id ?? [])],
    ),
  ]);
  const suitesOf = new Map(built.map(({ build_id: id, suites }) => [id, suites ?? []]));
  const jobOf = new Map(wanted.map((job) => [job.job_id, job]));
  const announcedBy = groupByAttempt(announced);
  return open.flatMap(({ column, job_id: id, attempt_id: attempt }): PlannedColumn[] => {
    const job = jobOf.get(id);
    if (job === undefined) return [];
    const suites = suitesOfJob(suitesOf.get(job.build_id) ?? [], job.own_suites ?? [], job.wanted);
    const expected = expectedTests(job.wanted, suites, announcedBy.get(attempt ?? '') ?? []);
    return [...new Set(expected.map(({ suite }) => suite))].map((suite) => {
      const own = expected.filter((test) => test.suite === suite);
      return { column, suite, tests: own.map(({ test }) => test), positions: own.map(({ position }) => position) };
    });
  });
}

function groupByAttempt(rows: readonly RowOf<typeof PLANNED>[]): Map<string, RowOf<typeof PLANNED>[]> {
  const groups = new Map<string, RowOf<typeof PLANNED>[]>();
  for (const row of rows) {
    const group = groups.get(row.attempt_id);
    if (group === undefined) groups.set(row.attempt_id, [row]);
    else group.push(row);
  }
  return groups;
}
