import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { Client } from 'pg';
import { DataSource } from 'typeorm';
import { ArtifactStore } from '../builds/artifact-store.js';
import { dataSourceOptions, migrate } from '../data-source.js';
import { outliveErrors, pgOptions, type DatabaseAddress } from '../platform/database/connection.js';
import { SettingError } from '../platform/config.js';
import { listOf } from './backup.js';
import { copyIn } from './copy.js';
import { artifactFile, BackupManifest, MANIFEST_FILE, tableFile } from './manifest.js';

/**
 * Added to the next fence, for those that were given out after the backup was taken: machines refuse a lower fence
 * than they have seen.
 */
const FENCES_AHEAD = 1_000_000;

/**
 * Fills an empty database and an artifact folder from one backup: `folder` is the one with the manifest,
 * the artifacts lie beside it. First the files, then the rows in one transaction, so that no row ever
 * names a file that is not there. Newer migrations are applied afterwards. Throws SettingError when the
 * database is not empty or the backup is of a newer version.
 */
export async function restore(
  address: DatabaseAddress,
  artifactsDir: string,
  folder: string,
): Promise<{ rows: number; artifacts: number }> {
  const manifest = BackupManifest.parse(JSON.parse(await readFile(join(folder, MANIFEST_FILE), 'utf8')));
  await requireEmpty(address);
  const store = new ArtifactStore(artifactsDir, Number.MAX_SAFE_INTEGER);
  for (const { sha256 } of manifest.artifacts) {
    // Checks the digest on the way.
    if (!(await store.has(sha256))) await store.put(sha256, createReadStream(join(folder, '..', artifactFile(sha256))));
  }
  await migrateTo(address, manifest.migrations);
  const client = new Client(pgOptions(address));
  outliveErrors(client);
  await client.connect();
  let rows = 0;
  try {
    await client.query('begin');
    for (const { name, columns, rows: expected } of manifest.tables) {
      const packed = createReadStream(join(folder, tableFile(name)));
      const source = createGunzip();
      packed.on('error', (error) => source.destroy(error)).pipe(source);
      await copyIn(client, `copy ${name} (${listOf(columns)}) from stdin`, source);
      const { rows: counted } = await client.query<{ n: string }>(`select count(*) as n from ${name}`);
      const found = Number(counted[0]?.n);
      if (found !== expected)
        throw new Error(`table ${name} has ${found} rows in the backup, its manifest says ${expected}`);
      rows += found;
    }
    for (const { name, value } of manifest.sequences) {
      const next = name === 'lease_fence' ? value + FENCES_AHEAD : value;
      if (next > 0) await client.query('select setval($1, $2)', [name, next]);
    }
    await client.query('commit');
    await client.query('analyze');
  } finally {
    await client.end();
  }
  await migrate(address);
  return { rows, artifacts: manifest.artifacts.length };
}

async function requireEmpty(address: DatabaseAddress): Promise<void> {
  const client = new Client(pgOptions(address));
  outliveErrors(client);
  await client.connect();
  try {
    const { rows } = await client.query(
      `select 1 from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') limit 1`,
    );
    if (rows.length > 0) {
      throw new SettingError('the database is not empty; restore into an empty one (DATABASE_URL or PEERLAB_STATE)');
    }
  } finally {
    await client.end();
  }
}

/** Brings the database to the schema of the backup. */
async function migrateTo(address: DatabaseAddress, names: readonly string[]): Promise<void> {
  const options = dataSourceOptions(address);
  const known = (options.migrations ?? []) as (new () => { name?: string })[];
  const wanted = known.filter((migration) => names.includes(new migration().name ?? migration.name));
  if (wanted.length !== names.length) {
    throw new SettingError(
      `the backup is of a newer version: this one knows ${wanted.length} of its ${names.length} migrations`,
    );
  }
  const dataSource = await new DataSource({ ...options, migrations: wanted }).initialize();
  try {
    await dataSource.runMigrations({ transaction: 'all' });
  } finally {
    await dataSource.destroy();
  }
}
