import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer as createSocketServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ensurePostgres, insertEvidence, Sql, stopPostgres } from '@peerlab/controller/testing';
import { createServer, type ViteDevServer } from 'vite';
import { FolderWatch } from './folder-watch.js';
import { Program } from './program.js';
import { Recompile } from './recompile.js';

const run = promisify(execFile);

/** Runs in the sample data; the page lists of the web UI show 50 at a time. */
const SAMPLE_RUNS = 12;

/** What the controller runs: its own sources and those of the packages that it imports. */
const CONTROLLER_SOURCES = ['apps/controller/src', 'apps/controller/contracts/src', 'infra/runtime/src'];

export interface DevelopmentOptions {
  /** The checkout. */
  root: string;
  /** Port of the web UI; the next free one when it is taken, 0 = any. */
  port: number;
  /** Takes each line for the terminal. */
  print: (line: string) => void;
}

/**
 * The controller and the web UI on sample data, from the sources of a checkout that was compiled once. A change of
 * the controller's sources, or of what it imports, is compiled and starts the controller again; vite replaces what
 * changed in the browser.
 */
export class DevelopmentFarm {
  readonly #options: DevelopmentOptions;
  #controller: Program | null = null;
  #recompile: Recompile | null = null;
  #watch: FolderWatch | null = null;
  #stateDir: string | null = null;
  #vite: ViteDevServer | null = null;

  constructor(options: DevelopmentOptions) {
    this.#options = options;
  }

  /**
   * Starts everything. Whatever was started before an error is ended by `stop`.
   * @returns the address of the web UI with a token that may write
   */
  async start(): Promise<string> {
    const { root, port } = this.#options;
    // Below /tmp itself: as root Postgres runs under an account that may not enter a private TMPDIR.
    this.#stateDir = await mkdtemp('/tmp/peerlab-dev-');
    await chmod(this.#stateDir, 0o755);
    const { address } = await ensurePostgres(this.#stateDir);
    const controllerPort = await freePort();
    const env = this.#environment(this.#stateDir, controllerPort);
    await this.#startController(env);
    const sql = new Sql(address);
    try {
      await insertEvidence(sql, SAMPLE_RUNS);
    } finally {
      await sql.close();
    }
    const main = join(root, 'apps/controller/dist/main.js');
    const token = await run(process.execPath, [main, 'token', 'create', '--kind', 'user', '--name', 'dev'], { env });
    // Read by the configuration file of the web UI.
    process.env['PEERLAB_CONTROLLER'] = `http://127.0.0.1:${controllerPort}`;
    this.#vite = await createServer({ root: join(root, 'apps/web'), clearScreen: false, server: { port } });
    await this.#vite.listen();
    this.#watchSources(env);
    const url = this.#vite.resolvedUrls?.local[0] ?? '';
    return `${url}#token=${token.stdout.trim()}`;
  }

  async stop(): Promise<void> {
    this.#watch?.close();
    await this.#recompile?.stop();
    await this.#vite?.close();
    await this.#controller?.stop();
    if (this.#stateDir === null) return;
    await stopPostgres(this.#stateDir);
    await rm(this.#stateDir, { recursive: true, force: true });
  }

  #watchSources(env: NodeJS.ProcessEnv): void {
    const { root, print } = this.#options;
    const recompile = new Recompile({
      command: [join(root, 'node_modules/.bin/tsc'), '-b', join(root, 'apps/controller')],
      cwd: root,
      onLine: (line) => print(`[compiler] ${line}`),
      onSuccess: () => this.#restartController(env),
    });
    this.#recompile = recompile;
    this.#watch = new FolderWatch(
      CONTROLLER_SOURCES.map((folder) => join(root, folder)),
      () => recompile.request(),
    );
  }

  async #restartController(env: NodeJS.ProcessEnv): Promise<void> {
    const { print } = this.#options;
    await this.#controller?.stop();
    try {
      await this.#startController(env);
    } catch (error) {
      print(`[controller] ${(error as Error).message}; it is started again after the next change`);
    }
  }

  /** @throws Error when it ends before it listens */
  async #startController(env: NodeJS.ProcessEnv): Promise<void> {
    const { root, print } = this.#options;
    let listening: () => void = () => undefined;
    const ready = new Promise<void>((resolve) => (listening = resolve));
    this.#controller = new Program({
      name: 'controller',
      command: [process.execPath, join(root, 'apps/controller/dist/main.js')],
      cwd: root,
      env,
      onLine: (line) => {
        if (line.includes('"event":"listening"')) listening();
        print(`[controller] ${line}`);
      },
    });
    await Promise.race([ready, this.#controller.failed]);
  }

  /** Ours, without the settings of a farm that may run on this computer. */
  #environment(stateDir: string, port: number): NodeJS.ProcessEnv {
    const kept = Object.entries(process.env).filter(
      ([name]) => name !== 'DATABASE_URL' && (!name.startsWith('PEERLAB_') || name === 'PEERLAB_LOG_LEVEL'),
    );
    return { ...Object.fromEntries(kept), PEERLAB_STATE: stateDir, PEERLAB_PORT: String(port) };
  }
}

/** The controller needs one that stays the same over its restarts, as vite is told once. */
async function freePort(): Promise<number> {
  const server = createSocketServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
