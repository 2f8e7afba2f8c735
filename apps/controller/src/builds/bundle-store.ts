import { createHash } from 'node:crypto';
import { canonicalJson, type BundleManifest } from '@peerlab/contracts';
import { jsonb } from '../platform/database/storable.js';
import { bool, columnsOf, pick, type RowOf } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { ProblemError } from '../platform/http/problem.js';
import { Bundle, type BundleOrigin } from '../schema/builds.js';

/**
 * The key that runs name a registered bundle by. The content key of a built bundle is a digest of another text, so
 * neither can have the key of the other.
 * @param manifestKey the key in the bundle's manifest
 */
export function uploadedKey(manifestKey: string): string {
  return createHash('sha256').update(`peerlab bundle registered by hand\n${manifestKey}`).digest('hex');
}

const STORED_BUNDLE = {
  ...pick(columnsOf(Bundle), 'sha256', 'manifest', 'origin'),
  /** Whether retention removed its file. */
  removed: bool,
};

/**
 * Stores a built bundle under its content key. A bundle that is stored under the key already is kept, bytes and
 * manifest, unless retention removed its file.
 * @returns why it cannot be stored, or null
 */
export async function storeBuilt(
  tx: Queries,
  manifest: BundleManifest,
  sha256: string,
  agent: string,
): Promise<string | null> {
  const { key } = manifest;
  await setAsideOldUpload(tx, key);
  if (await insertBundle(tx, { key, sha256, manifest, origin: 'build', madeBy: agent })) return null;
  const stored = await lockBundle(tx, key);
  if (stored?.origin !== 'build') return `the key ${key} belongs to a bundle that a user registered`;
  if (!stored.removed) return null;
  await tx.run('update bundle set sha256 = $2, manifest = $3, made_by = $4 where key = $1', [
    key,
    sha256,
    jsonb(manifest),
    agent,
  ]);
  return null;
}

/**
 * Stores a bundle that a user registers. Storing the same bytes again changes nothing.
 * @returns the key that runs name it by
 * @throws ProblemError 409 when other bytes or another manifest are stored under the manifest's key
 */
export async function storeUploaded(
  tx: Queries,
  manifest: BundleManifest,
  sha256: string,
  user: string,
): Promise<string> {
  const key = uploadedKey(manifest.key);
  if (await insertBundle(tx, { key, sha256, manifest, origin: 'upload', madeBy: user })) return key;
  const stored = await lockBundle(tx, key);
  const same =
    stored?.origin === 'upload' &&
    stored.sha256 === sha256 &&
    canonicalJson(stored.manifest) === canonicalJson(manifest);
  if (same) return key;
  throw new ProblemError(409, 'bundle-exists', `another bundle is registered under the key ${manifest.key}`, {
    detail:
      `stored bundles are never replaced; runs name the stored one by ${key}. ` +
      'Put a new key into manifest.json, pack the bundle again, upload it and register that',
  });
}

async function insertBundle(
  tx: Queries,
  row: { key: string; sha256: string; manifest: BundleManifest; origin: BundleOrigin; madeBy: string },
): Promise<boolean> {
  const inserted = await tx.run(
    `insert into bundle (key, sha256, manifest, origin, made_by) values ($1, $2, $3, $4, $5) on conflict do nothing`,
    [row.key, row.sha256, jsonb(row.manifest), row.origin, row.madeBy],
  );
  return inserted > 0;
}

/** Locks the row against retention and other writers until the transaction ends. */
function lockBundle(tx: Queries, key: string): Promise<RowOf<typeof STORED_BUNDLE> | null> {
  return tx.one(
    STORED_BUNDLE,
    `select u.sha256, u.manifest, u.origin, a.removed_at is not null as removed
     from bundle u join artifact a on a.sha256 = u.sha256 where u.key = $1 for no key update of u`,
    [key],
  );
}

/**
 * An earlier version stored registered bundles under the manifest's own key. When a build produces that key, such a
 * bundle moves to the key that it would be registered under now.
 */
async function setAsideOldUpload(tx: Queries, key: string): Promise<void> {
  const isOccupied = await tx.exists(
    `select 1 from bundle where key = $1 and origin = 'upload' and manifest ->> 'key' = $1 for update`,
    [key],
  );
  if (!isOccupied) return;
  const free = uploadedKey(key);
  await tx.run(
    `insert into bundle (key, sha256, manifest, origin, made_by, created_at)
     select $2, sha256, manifest, origin, made_by, created_at from bundle where key = $1 on conflict do nothing`,
    [key, free],
  );
  await tx.run('update build set bundle_key = $2 where bundle_key = $1', [key, free]);
  await tx.run('delete from bundle where key = $1', [key]);
}
