import type { DriverBuild } from '@peerlab/contracts';
import { columnsOf, pick, type RowOf, text } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { ProblemError } from '../platform/http/problem.js';
import { Artifact } from '../schema/builds.js';

const STORED_FILE = pick(columnsOf(Artifact), 'size_bytes');

/** A kernel is as good without a driver: where the archive of one is not what its agent said, the driver has an error instead. */
export async function withHeldArchive(tx: Queries, driver: DriverBuild): Promise<DriverBuild> {
  const { archive } = driver;
  if (archive === null) return driver;
  const file = await holdArtifact(tx, archive.sha256);
  if (file?.size_bytes === archive.sizeBytes) return driver;
  const error =
    file === null
      ? 'it was built, but its archive was not uploaded'
      : `its archive has ${file.size_bytes} bytes, but its agent reported ${archive.sizeBytes}`;
  return { ...driver, archive: null, error };
}

/** Locks the artifact's row against retention until the transaction ends; null when its file is not stored. */
export function holdArtifact(tx: Queries, sha256: string): Promise<RowOf<typeof STORED_FILE> | null> {
  return tx.one(STORED_FILE, 'select size_bytes from artifact where sha256 = $1 and removed_at is null for share', [
    sha256,
  ]);
}

/** Locks files that a run names against retention until the transaction ends. Throws ProblemError 422 when one is not stored any more. */
export async function holdArtifacts(tx: Queries, digests: readonly string[]): Promise<void> {
  const stored = await tx.rows(
    { sha256: text },
    'select sha256 from artifact where sha256 = any($1) and removed_at is null order by sha256 for share',
    [digests],
  );
  const removed = digests.find((sha256) => !stored.some((one) => one.sha256 === sha256));
  if (removed === undefined) return;
  throw new ProblemError(422, 'artifact-removed', `the artifact ${removed} was removed`, {
    detail: 'retention has just removed its file; upload it again',
  });
}

/** Locks what is stored of the drivers of these bundles in the same way. @param keys of the bundles */
export async function holdDrivers(tx: Queries, keys: readonly string[]): Promise<void> {
  await tx.run(
    `select 1 from artifact where sha256 in (
       select d #>> '{archive,sha256}' from build b, jsonb_array_elements(b.drivers) d where b.bundle_key = any($1))
     order by sha256 for share`,
    [keys],
  );
}

/** Throws ProblemError 422 when the file of a bundle is not stored any more. */
export async function requireBundles(queries: Queries, keys: readonly string[]): Promise<void> {
  const removed = await queries.rows(
    { key: text },
    `select k.key from unnest($1::text[]) as k(key) where not exists (
       select 1 from bundle u join artifact a on a.sha256 = u.sha256 where u.key = k.key and a.removed_at is null)
     limit 1`,
    [keys],
  );
  for (const { key } of removed) {
    throw new ProblemError(422, 'bundle-removed', `the bundle ${key} was removed`, {
      detail: 'retention has just removed its file; build it again',
    });
  }
}
