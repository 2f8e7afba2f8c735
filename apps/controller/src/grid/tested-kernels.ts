import {
  type BuiltGit,
  KERNEL_ATTEMPTS,
  KERNEL_ATTEMPTS_ALL,
  KERNELS_COUNTED,
  KERNELS_MAX,
  type KernelColumn,
  type KernelCursor,
  type KernelsBeyond,
} from '@peerlab/contracts';
import { BUILT_GIT } from '../platform/database/built-git.js';
import { integer, json, nullable, text, type RowOf } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { IS_TESTED } from './tested-jobs.js';

/** An attempt that a kernel's cells are taken of. */
export interface KernelAttempt {
  combination: string;
  attempt: string;
}

/** A tested kernel with the attempts that speak for it, the newest first. */
export interface TestedKernelRow {
  column: Omit<KernelColumn, 'testedAt' | 'combinations'>;
  attempts: KernelAttempt[];
}

/**
 * Ended jobs of the kernel whose bundle is `u`, newest runs first. `offset 0` keeps the planner from joining all
 * jobs there are when it should look up those of one build after the other until there are enough.
 */
function jobsOfKernel(combination: string | null, bind: (value: unknown) => string): string {
  const where = combination === null ? 'combination is not null' : `combination = ${bind(combination)}`;
  return `
    select b.id as build_id, b.name, b.run_id, b.created_at, j.combination, j.ended_at, j.attempt
    from build b cross join lateral (
      select combination, ended_at, t.id as attempt from job
        cross join lateral (select id from attempt where job_id = job.id order by number desc limit 1) t
      where build_id = b.id and ${where} and ${IS_TESTED} offset 0) j
    where b.bundle_key = u.key
    order by b.created_at desc, j.ended_at desc`;
}

const KERNEL = {
  key: text,
  built_at: text,
  release: text,
  base_version: text,
  build_id: text,
  git: nullable(json<BuiltGit>()),
  patches: integer,
  features: json<string[]>(),
  config: text,
  build: json<KernelColumn['build']>(),
  run: json<KernelColumn['run']>(),
  /** Combination, attempt and place of each job, the newest first, as one text: there are thousands. */
  attempts: text,
};

/** When bundle `u` was stored, to the microsecond. */
const BUILT_AT = `to_char(u.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/**
 * The newest kernels that were tested (on one combination, or anywhere with null), newest first; with a cursor
 * those that are older than it says.
 */
export function kernelsSql(
  combination: string | null,
  before: KernelCursor | null,
): { text: string; values: unknown[] } {
  const values: unknown[] = [];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  const jobs = jobsOfKernel(combination, bind);
  const isOlder =
    before === null ? '' : `and (u.created_at, u.key) < (${bind(before.at)}::timestamptz, ${bind(before.id)})`;
  const statement = `
    select u.key, ${BUILT_AT} as built_at,
      u.manifest ->> 'release' as release, u.manifest #>> '{base,version}' as base_version,
      u.manifest ->> 'buildId' as build_id,
      (select ${BUILT_GIT} from build b where b.id = latest.build_id) as git, jsonb_array_length(u.manifest -> 'series') as patches,
      u.manifest -> 'features' as features, u.manifest #>> '{config,name}' as config,
      jsonb_build_object('id', latest.build_id, 'name', latest.name) as build,
      jsonb_build_object('id', latest.run_id, 'name', (select name from run where id = latest.run_id)) as run,
      tested.attempts
    from bundle u cross join lateral (${jobs} limit 1) latest cross join lateral (
      select string_agg(concat_ws(' ', combination, attempt, place), ',' order by ended_at desc) as attempts
      from (select *, row_number() over (order by created_at desc, ended_at desc) as place from (${jobs} limit ${(combination === null ? KERNEL_ATTEMPTS_ALL : KERNEL_ATTEMPTS) + 1}) chosen) newest) tested
    where true ${isOlder}
    order by u.created_at desc, u.key desc limit ${KERNELS_MAX}`;
  return { text: statement, values };
}

/** A page of kernels with results, newest first, at most KERNELS_MAX. */
export async function readTestedKernels(
  sql: Queries,
  combination: string | null,
  before: KernelCursor | null,
): Promise<TestedKernelRow[]> {
  const { text: statement, values } = kernelsSql(combination, before);
  return (await sql.rows(KERNEL, statement, values)).map(testedKernel);
}

const CURSOR = { cursor: text };
const NONE: KernelsBeyond = { count: 0, before: null };

/** What is on both sides of a page of kernels, which came of the same cursor. */
export async function readBeyond(
  sql: Queries,
  combination: string | null,
  before: KernelCursor | null,
  page: readonly TestedKernelRow[],
): Promise<{ older: KernelsBeyond; newer: KernelsBeyond }> {
  const last = page.at(-1)?.column;
  const [older, newer] = await Promise.all([
    last === undefined || page.length < KERNELS_MAX
      ? NONE
      : readOlder(sql, combination, { at: last.builtAt, id: last.key }),
    before === null ? NONE : readNewer(sql, combination, before),
  ]);
  return { older, newer };
}

async function readOlder(sql: Queries, combination: string | null, last: KernelCursor): Promise<KernelsBeyond> {
  const { text: statement, values } = beyondSql('older', combination, last);
  const { length: count } = await sql.rows(CURSOR, statement, values);
  return { count, before: count === 0 ? null : `${last.at}~${last.id}` };
}

async function readNewer(sql: Queries, combination: string | null, before: KernelCursor): Promise<KernelsBeyond> {
  const { text: statement, values } = beyondSql('newer', combination, before);
  const newer = await sql.rows(CURSOR, statement, values);
  // The page next to this one ends where that many newer ones are passed; fewer of them are the newest page.
  return { count: newer.length, before: newer[KERNELS_MAX]?.cursor ?? null };
}

/** Cursors of the tested kernels on one side of a cursor, those next to it first, at most KERNELS_COUNTED. */
export function beyondSql(
  side: 'older' | 'newer',
  combination: string | null,
  { at, id }: KernelCursor,
): { text: string; values: unknown[] } {
  const values: unknown[] = [at, id];
  const jobs = jobsOfKernel(combination, (value) => `$${values.push(value)}`);
  const [is, order] = side === 'older' ? ['<', 'desc'] : ['>=', 'asc'];
  const statement = `
    select ${BUILT_AT} || '~' || u.key as cursor from bundle u cross join lateral (${jobs} limit 1) tested
    where (u.created_at, u.key) ${is} ($1::timestamptz, $2)
    order by u.created_at ${order}, u.key ${order} limit ${KERNELS_COUNTED}`;
  return { text: statement, values };
}

function testedKernel(row: RowOf<typeof KERNEL>): TestedKernelRow {
  const found = row.attempts.split(',').map((each) => {
    const [combination = '', attempt = '', place] = each.split(' ');
    return { combination, attempt, place: Number(place) };
  });
  const attempts = newestOfEach(found);
  return {
    column: {
      key: row.key,
      build: row.build,
      run: row.run,
      release: row.release,
      baseVersion: row.base_version,
      buildId: row.build_id,
      git: row.git,
      patches: row.patches,
      features: row.features,
      config: row.config,
      builtAt: row.built_at,
      isCut: attempts.length < found.length,
    },
    attempts,
  };
}

/**
 * At most KERNEL_ATTEMPTS attempts of each combination, those with the lowest places, in their order: several, as a run may
 * have some suites only, and as results that contradict each other are worth showing.
 */
function newestOfEach(found: readonly (KernelAttempt & { place: number })[]): KernelAttempt[] {
  const taken = new Map<string, number>();
  // One more was read to tell of older ones.
  const attempts = found.filter(({ place }) => place <= KERNEL_ATTEMPTS_ALL);
  const kept = new Set(
    attempts
      .toSorted((a, b) => a.place - b.place)
      .filter(({ combination }) => {
        const count = (taken.get(combination) ?? 0) + 1;
        taken.set(combination, count);
        return count <= KERNEL_ATTEMPTS;
      }),
  );
  return attempts.flatMap((each) => (kept.has(each) ? [{ combination: each.combination, attempt: each.attempt }] : []));
}

/** The combination with the newest result; null when nothing was tested. */
export async function newestCombination(sql: Queries): Promise<string | null> {
  const found = await sql.rows(
    { combination: text },
    `select combination from job where ${IS_TESTED} and combination is not null
       and exists (select 1 from attempt where job_id = job.id) order by ended_at desc limit 1`,
  );
  return found[0]?.combination ?? null;
}
