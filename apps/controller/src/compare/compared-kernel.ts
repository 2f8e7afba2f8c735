import type { BuiltGit, Combination, HardwareKernel } from '@peerlab/contracts';
import { readCombinations } from '../grid/combinations.js';
import { BUILT_GIT } from '../platform/database/built-git.js';
import { columnsOf, json, nullable, pick, text, type RowOf } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';
import { Build } from '../schema/builds.js';

/** A kernel under the name of a build of it. `key`: of its bundle. */
export const KERNEL = {
  ...pick(columnsOf(Build), 'id', 'name'),
  key: text,
  release: nullable(text),
  build_id: nullable(text),
  git: nullable(json<BuiltGit>()),
};
export type KernelRow = RowOf<typeof KERNEL>;

/** The columns of `KERNEL` but the build's id and name; needs `bundle` as `u` and `build` as `b`. */
export const KERNEL_SQL = `u.key, u.manifest ->> 'release' as release, u.manifest ->> 'buildId' as build_id, ${BUILT_GIT} as git`;

export const kernelView = ({ id, name, release, build_id: buildId, git }: KernelRow): HardwareKernel => ({
  id,
  name,
  release,
  buildId,
  git,
});

/** The kernel that a build became. Throws a 404 problem where there is no such build, or it was never built. */
export async function readKernel(sql: Queries, build: string): Promise<KernelRow> {
  const kernel = await sql.one(
    KERNEL,
    `select b.id, b.name, ${KERNEL_SQL} from build b join bundle u on u.key = b.bundle_key where b.id = $1`,
    [build],
  );
  if (kernel === null) throw notFound('built kernel of build', build);
  return kernel;
}

/** Combinations by their hashes, sorted by label. */
export async function readSortedCombinations(sql: Queries, hashes: Iterable<string>): Promise<Combination[]> {
  return (await readCombinations(sql, new Set(hashes))).toSorted(byLabel);
}

const byLabel = (a: Combination, b: Combination): number =>
  a.label < b.label ? -1 : a.label > b.label ? 1 : a.hash < b.hash ? -1 : 1;
