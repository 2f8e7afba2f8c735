import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { migrate } from '../data-source.js';
import { postgresAccount } from '../platform/postgres/account.js';
import { TestSql } from '../testing/test-sql.js';

/** Programs of a server, the newest; empty where none is installed. */
function serverPrograms(): string {
  const root = '/usr/lib/postgresql';
  if (!existsSync(root)) return '';
  const [newest] = readdirSync(root).sort((a, b) => Number(b) - Number(a));
  const bin = newest === undefined ? '' : join(root, newest, 'bin');
  return ['initdb', 'pg_ctl', 'pg_dump', 'pg_restore', 'psql'].every((name) => existsSync(join(bin, name))) ? bin : '';
}

const bin = serverPrograms();
const scripts = join(dirname(fileURLToPath(import.meta.url)), '../../../../infra/backup');
let folder: string;

function run(program: string, args: string[], env: Record<string, string> = {}, asPostgres = false): string {
  const { uid, gid, username: name } = userInfo();
  const account = postgresAccount({ uid, gid, name });
  const done = spawnSync(program, args, {
    cwd: '/',
    encoding: 'utf8',
    env: { PATH: `${bin}:/usr/bin:/bin`, LC_ALL: 'C', TZ: 'UTC', ...env },
    // pg_ctl leaves the server behind, which would hold a pipe open.
    stdio: asPostgres ? 'ignore' : 'pipe',
    ...(asPostgres && uid === 0 ? { uid: account.uid, gid: account.gid } : {}),
  });
  if (done.status !== 0) throw new Error(`${program} ended with ${done.status}: ${done.stderr}`);
  return asPostgres ? '' : done.stdout.trim();
}

const url = (database: string): string =>
  `postgres://peerlab@/${database}?host=${encodeURIComponent(folder)}&port=5433`;

beforeAll(() => {
  if (bin === '') return;
  // Below /tmp itself: as root Postgres runs under an account that may not enter a private TMPDIR.
  folder = mkdtempSync('/tmp/peerlab-dump-');
  chmodSync(folder, 0o755);
  const { uid, gid, username: name } = userInfo();
  const account = postgresAccount({ uid, gid, name });
  const data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  for (const path of [folder, data]) if (uid === 0) chownSync(path, account.uid, account.gid);
  run(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'peerlab', '--auth=trust', '--encoding=UTF8', '--locale=C', '-N'],
    {},
    true,
  );
  const settings = `-c listen_addresses= -c port=5433 -c unix_socket_directories=${folder} -c fsync=off`;
  run(join(bin, 'pg_ctl'), ['start', '-w', '-D', data, '-l', join(data, 'log'), '-o', settings], {}, true);
  for (const database of ['farm', 'fresh']) run('psql', ['-Xq', '-c', `create database ${database}`, url('postgres')]);
});
afterAll(() => {
  if (bin === '') return;
  run(join(bin, 'pg_ctl'), ['stop', '-w', '-m', 'fast', '-D', join(folder, 'data')], {}, true);
  rmSync(folder, { recursive: true, force: true });
});

it.skipIf(bin === '')('the scripts bring a database and its artifacts back with the tools of Postgres', async () => {
  await migrate({ url: url('farm') });
  const sql = new TestSql({ url: url('farm') });
  const content = 'a bundle';
  const sha256 = createHash('sha256').update(content).digest('hex');
  const store = join(folder, 'state/artifacts/sha256', sha256.slice(0, 2));
  mkdirSync(store, { recursive: true });
  writeFileSync(join(store, sha256), content);
  await sql.run('insert into artifact (sha256, size_bytes) values ($1, 8)', [sha256]);
  await sql.run(`insert into log_line (participant_id, stream, seq, at, text)
    select gen_random_uuid(), 'serial', g, g, 'line ' || g from generate_series(1, 1000) g`);
  await sql.run(`select setval('lease_fence', 41)`);
  const rows = () => sql.rows('select stream, seq, at, text from log_line order by seq');
  const before = await rows();

  const saved = run(join(scripts, 'pg-dump.sh'), [join(folder, 'state'), join(folder, 'backups')], {
    DATABASE_URL: url('farm'),
  });
  run(join(scripts, 'pg-restore.sh'), [saved, join(folder, 'new-state')], { DATABASE_URL: url('fresh') });

  const fresh = new TestSql({ url: url('fresh') });
  expect(await fresh.rows('select stream, seq, at, text from log_line order by seq')).toEqual(before);
  expect(await fresh.one('select sha256 from artifact')).toEqual({ sha256 });
  expect((await fresh.one<{ fence: number }>(`select nextval('lease_fence') as fence`))?.fence).toBeGreaterThan(
    1_000_000,
  );
  expect(await migrate({ url: url('fresh') })).toEqual([]);
  expect(readdirSync(join(folder, 'new-state/artifacts/sha256', sha256.slice(0, 2)))).toEqual([sha256]);
  expect(() => run(join(scripts, 'pg-restore.sh'), [saved, join(folder, 'x')], { DATABASE_URL: url('fresh') })).toThrow(
    /restore into an empty one/,
  );
  await Promise.all([sql.close(), fresh.close()]);
});
