import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chownSync, chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { outliveErrors, pgOptions, type DatabaseAddress } from '../database/connection.js';
import { SettingError } from '../config.js';
import { blockedFolder, postgresAccount, type Account } from './account.js';
import { postgresBinaries } from './binaries.js';

/** sun_path holds 108 bytes with its final NUL; Postgres adds "/.s.PGSQL.5432". */
const SOCKET_PATH_MAX = 107;
const PORT = 5432;
const SUPERUSER = 'peerlab';
const DATABASE = 'peerlab';
const READY_DEADLINE_MS = 30_000;
const RETRY_PAUSE_MS = 100;
/** For another controller to have started it. */
const START_LOCK_SECONDS = 60;

export interface EmbeddedPostgres {
  address: DatabaseAddress;
  /** False: it was already running, e.g. after a kill -9 of the controller. */
  started: boolean;
}

interface Cluster {
  account: Account;
  native: string;
  dataDir: string;
  socketDir: string;
  logFile: string;
}

/**
 * Starts the cluster below `stateDir`, or takes over the running one; creates it the first time.
 * `options` are server settings such as `fsync=off` for throw-away clusters. It keeps running when
 * this process dies.
 */
export async function ensurePostgres(stateDir: string, options: readonly string[] = []): Promise<EmbeddedPostgres> {
  const cluster = await openCluster(stateDir);
  if (!existsSync(join(cluster.dataDir, 'PG_VERSION'))) await createCluster(cluster);
  const { client, admin, started } = await reach(cluster, options);
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`create database ${DATABASE}`);
  } finally {
    await client.end();
  }
  return { address: { ...admin, database: DATABASE }, started };
}

/** Stops the cluster below `stateDir`; false when it was not running. */
export async function stopPostgres(stateDir: string): Promise<boolean> {
  const cluster = await openCluster(stateDir);
  if (!existsSync(join(cluster.dataDir, 'PG_VERSION')) || !(await isRunning(cluster))) return false;
  await pgCtl(cluster, ['stop', '-w', '-t', '60', '-m', 'fast']);
  return true;
}

/** Folder of the socket: below the state folder, or a short one when the path would be too long. */
export function socketFolder(stateDir: string, uid: number, env: NodeJS.ProcessEnv): string {
  const near = join(stateDir, 'postgres', 'run');
  if (Buffer.byteLength(`${near}/.s.PGSQL.${PORT}.lock`) < SOCKET_PATH_MAX) return near;
  const digest = createHash('sha256').update(stateDir).digest('hex').slice(0, 8);
  const runtime = uid === 0 ? undefined : env['XDG_RUNTIME_DIR'];
  return runtime === undefined ? `/tmp/peerlab-pg-${uid}-${digest}` : join(runtime, `peerlab-pg-${digest}`);
}

async function openCluster(stateDir: string): Promise<Cluster> {
  const { uid, gid, username } = userInfo();
  const account = postgresAccount({ uid, gid, name: username });
  const home = join(stateDir, 'postgres');
  mkdirSync(home, { recursive: true });
  const blocked = blockedFolder(home, account);
  if (blocked !== null) {
    throw new SettingError(
      `PEERLAB_STATE ${stateDir}: the account "${account.name}" that Postgres runs as may not pass ${blocked}; ` +
        'choose another folder or set DATABASE_URL',
    );
  }
  const socketDir = socketFolder(stateDir, uid, process.env);
  const dataDir = join(home, 'data');
  for (const folder of [dataDir, socketDir]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (uid === 0) chownSync(folder, account.uid, account.gid);
    chmodSync(folder, 0o700);
  }
  return {
    account,
    native: await postgresBinaries(home, account),
    dataDir,
    socketDir,
    // In the data folder, because that is the one folder the account can surely write.
    logFile: join(dataDir, 'server.log'),
  };
}

async function createCluster(cluster: Cluster): Promise<void> {
  await runAs(cluster, 'initdb', [
    '-D',
    cluster.dataDir,
    '-U',
    SUPERUSER,
    '--encoding=UTF8',
    '--locale=C',
    '--auth-local=trust',
    '--auth-host=reject',
    '--no-instructions',
  ]);
}

async function isRunning(cluster: Cluster): Promise<boolean> {
  const { code } = await execute(cluster, 'pg_ctl', ['status', '-D', cluster.dataDir]);
  return code === 0;
}

/** The fifth line of postmaster.pid is the socket folder the running server really uses. */
function runningSocketDir(cluster: Cluster): string {
  const line = readFileSync(join(cluster.dataDir, 'postmaster.pid'), 'utf8').split('\n')[4]?.trim();
  return line === undefined || line === '' ? cluster.socketDir : line;
}

async function pgCtl(cluster: Cluster, args: string[]): Promise<void> {
  await runAs(cluster, 'pg_ctl', [args[0] ?? '', '-D', cluster.dataDir, ...args.slice(1)]);
}

async function runAs(cluster: Cluster, tool: string, args: string[], through: string[] = []): Promise<void> {
  const { code, output } = await execute(cluster, tool, args, through);
  if (code === 0) return;
  const log = existsSync(cluster.logFile) ? readFileSync(cluster.logFile, 'utf8').slice(-2000) : '';
  throw new Error(`embedded Postgres: ${tool} ${args[0]} failed (${code}): ${output.trim()}\n${log}`.trim());
}

/**
 * pg_ctl leaves the server behind, which would hold an inherited pipe open for ever; so the end of
 * the tool is awaited by its exit and not by the end of its output. `through` = a command that runs the tool.
 */
function execute(
  cluster: Cluster,
  tool: string,
  args: string[],
  through: string[] = [],
): Promise<{ code: number | null; output: string }> {
  const { uid, gid } = cluster.account;
  const change = userInfo().uid === 0 ? { uid, gid } : {};
  return new Promise((done, fail) => {
    const [program = '', ...rest] = [...through, join(cluster.native, 'bin', tool), ...args];
    const child = spawn(program, rest, {
      cwd: '/',
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
      stdio: ['ignore', tool === 'initdb' ? 'pipe' : 'ignore', tool === 'initdb' ? 'pipe' : 'ignore'],
      ...change,
    });
    let output = '';
    child.stdout?.on('data', (data: Buffer) => (output += data.toString()));
    child.stderr?.on('data', (data: Buffer) => (output += data.toString()));
    child.once('error', fail);
    child.once('exit', (code) => done({ code, output }));
  });
}

interface Reached {
  client: Client;
  admin: { socketDir: string; port: number; user: string; database: string };
  started: boolean;
}

/**
 * Starts the server unless it runs, and connects. Both are repeated: after a kill of the postmaster its
 * children hold the shared memory for a moment, and pg_ctl may take the old pid file for a ready server.
 */
async function reach(cluster: Cluster, options: readonly string[]): Promise<Reached> {
  const deadline = Date.now() + READY_DEADLINE_MS;
  let started = false;
  for (;;) {
    try {
      if (!(await isRunning(cluster))) {
        await startServer(cluster, options);
        started = true;
      }
      const socketDir = runningSocketDir(cluster);
      const admin = { socketDir, port: PORT, user: SUPERUSER, database: 'postgres' };
      return { client: await connect(admin), admin, started };
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await delay(RETRY_PAUSE_MS);
    }
  }
}

/**
 * One start at a time, and none of a server that runs by then: of two that find the lock file of a dead server,
 * the second removes the new one of the first, and that one runs on as if it did not (`flock` and not a file that
 * is there or not, because the lock has to end with its process; `-o`, because the server outlives its starter).
 */
async function startServer(cluster: Cluster, options: readonly string[]): Promise<void> {
  const settings = [`listen_addresses=`, `unix_socket_directories=${cluster.socketDir}`, ...options];
  const serverOptions = settings.map((setting) => `-c '${setting}'`).join(' ');
  const lock = join(cluster.socketDir, 'start.lock');
  const unlessRunning = '"$0" status -D "$3" > /dev/null 2>&1 || exec "$0" "$@"';
  await runAs(
    cluster,
    'pg_ctl',
    ['start', '-D', cluster.dataDir, '-w', '-t', '60', '-l', cluster.logFile, '-o', serverOptions],
    ['flock', '-o', '-w', String(START_LOCK_SECONDS), lock, 'sh', '-c', unlessRunning],
  );
}

async function connect(address: DatabaseAddress): Promise<Client> {
  const client = new Client(pgOptions(address));
  outliveErrors(client);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}
