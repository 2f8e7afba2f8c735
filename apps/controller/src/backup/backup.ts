import { createWriteStream } from 'node:fs';
import { copyFile, mkdir, open, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { Client } from 'pg';
import { outliveErrors, pgOptions, type DatabaseAddress } from '../platform/database/connection.js';
import { lockSession } from '../platform/database/locks.js';
import { copyOut } from './copy.js';
import { artifactFile, type BackupManifest, backupFolder, MANIFEST_FILE, tableFile } from './manifest.js';

/** Tables about the moment, which a running controller fills again. */
const LEFT_OUT = ['controller', 'storage', 'change', 'artifact_folder'];
/** For this account and its group: a backup holds everything that the farm stores. */
const FILE_MODE = 0o640;
const FOLDER_MODE = 0o750;
const MIGRATIONS = 'schema_migration';
/** Higher levels cost more time than they save space. */
const GZIP_LEVEL = 3;

export interface BackupSummary {
  folder: string;
  rows: number;
  artifacts: number;
  /** Artifacts that an earlier backup in the same place had already. */
  artifactsKnown: number;
}

/**
 * Writes everything that the farm stores below `target`, while it runs: first the rows as of one moment, then the
 * artifacts that they name. Those are there because a row is written after its file and because retention waits.
 * Works with any Postgres, needs none of its programs, and may be read by a newer version. `artifactsDir` is the
 * controller's artifact folder.
 */
export async function backUp(address: DatabaseAddress, artifactsDir: string, target: string): Promise<BackupSummary> {
  const client = new Client({ ...pgOptions(address), application_name: 'peerlab-backup' });
  outliveErrors(client);
  await client.connect();
  try {
    await lockSession(client, 'retention');
    await client.query('begin transaction isolation level repeatable read, read only');
    const tables = await readTables(client);
    const manifest = await readManifest(client, tables);
    const folder = join(target, backupFolder(manifest.takenAt));
    for (const table of manifest.tables) {
      const path = join(folder, tableFile(table.name));
      await mkdir(dirname(path), { recursive: true, mode: FOLDER_MODE });
      const gzip = createGzip({ level: GZIP_LEVEL });
      const written = pipeline(gzip, createWriteStream(path, { flags: 'wx', flush: true, mode: FILE_MODE }));
      await Promise.all([copyOut(client, `copy ${table.name} (${listOf(table.columns)}) to stdout`, gzip), written]);
    }
    await client.query('commit');
    let artifactsKnown = 0;
    for (const artifact of manifest.artifacts) {
      if (await copyArtifact(artifactsDir, target, artifact)) artifactsKnown += 1;
    }
    await writeDurably(join(folder, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`);
    const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0);
    return { folder, rows, artifacts: manifest.artifacts.length, artifactsKnown };
  } finally {
    await client.end();
  }
}

export const listOf = (columns: readonly string[]): string => columns.map((column) => `"${column}"`).join(', ');

interface Table {
  name: string;
  columns: string[];
}

/** Tables in an order in which foreign keys hold; their references have no cycles. */
async function readTables(client: Client): Promise<Table[]> {
  const { rows } = await client.query<{ name: string; columns: string[]; refers: string[] }>(
    `select c.relname as name,
       array(select attname::text from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped order by attnum) as columns,
       array(select f.relname::text from pg_constraint k join pg_class f on f.oid = k.confrelid
             where k.conrelid = c.oid and k.contype = 'f' and k.confrelid <> c.oid) as refers
     from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
       and not (c.relname = any($1)) order by c.relname`,
    [[...LEFT_OUT, MIGRATIONS]],
  );
  const ordered: Table[] = [];
  const isPlaced = (name: string): boolean => ordered.some((table) => table.name === name);
  while (ordered.length < rows.length) {
    const ready = rows.filter(({ name, refers }) => !isPlaced(name) && refers.every(isPlaced));
    if (ready.length === 0) throw new Error('the foreign keys of the tables form a cycle');
    ordered.push(...ready.map(({ name, columns }) => ({ name, columns })));
  }
  return ordered;
}

async function readManifest(client: Client, tables: Table[]): Promise<BackupManifest> {
  const one = async <T>(text: string): Promise<T[]> => (await client.query(text)).rows as T[];
  const [moment] = await one<{ now: Date }>('select now() as now');
  if (moment === undefined) throw new Error('the database has no time');
  const migrations = await one<{ name: string }>(`select name from ${MIGRATIONS} order by timestamp`);
  const artifacts = await one<{ sha256: string; size: string }>(
    'select sha256, size_bytes as size from artifact where removed_at is null order by sha256',
  );
  const sequences = await one<{ name: string; value: string }>(
    `select sequencename as name, coalesce(last_value, 0) as value from pg_sequences
     where schemaname = 'public' and sequencename <> '${MIGRATIONS}_id_seq'`,
  );
  const counted: BackupManifest['tables'] = [];
  for (const table of tables) {
    const [row] = await one<{ n: string }>(`select count(*) as n from ${table.name}`);
    counted.push({ ...table, rows: Number(row?.n ?? 0) });
  }
  return {
    schema: 1,
    takenAt: moment.now.toISOString(),
    migrations: migrations.map(({ name }) => name),
    tables: counted,
    sequences: sequences.map(({ name, value }) => ({ name, value: Number(value) })),
    artifacts: artifacts.map(({ sha256, size }) => ({ sha256, sizeBytes: Number(size) })),
  };
}

/** Copies an artifact, whole or not at all; true when it was there already. */
async function copyArtifact(
  from: string,
  target: string,
  { sha256, sizeBytes }: BackupManifest['artifacts'][number],
): Promise<boolean> {
  const path = join(target, artifactFile(sha256));
  const known = await stat(path).catch(() => null);
  if (known?.size === sizeBytes) return true;
  await mkdir(dirname(path), { recursive: true, mode: FOLDER_MODE });
  await copyFile(join(from, 'sha256', sha256.slice(0, 2), sha256), `${path}.part`);
  await syncFile(`${path}.part`);
  await rename(`${path}.part`, path);
  return false;
}

async function writeDurably(path: string, text: string): Promise<void> {
  await writeFile(`${path}.part`, text, { mode: FILE_MODE });
  await syncFile(`${path}.part`);
  await rename(`${path}.part`, path);
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
