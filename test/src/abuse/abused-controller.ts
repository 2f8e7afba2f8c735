import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type DatabaseAddress, ensurePostgres, FakeAgent, pgOptions, stopPostgres } from '@peerlab/controller/testing';
import { Client } from 'pg';

const MAIN = join(dirname(fileURLToPath(import.meta.url)), '../../../apps/controller/dist/main.js');
const LOG_KEPT = 20_000;

/** A controller in a process of its own, so that its memory can be read from outside and its end is noticed. */
export class AbusedController {
  /** What it said on stderr lately. */
  log = '';
  readonly #ended: Promise<string>;

  private constructor(
    readonly url: string,
    readonly agentToken: string,
    readonly userToken: string,
    private readonly stateDir: string,
    private readonly address: DatabaseAddress,
    private readonly child: ChildProcess,
  ) {
    child.stderr?.on('data', (piece: Buffer) => (this.log = (this.log + piece.toString()).slice(-LOG_KEPT)));
    this.#ended = new Promise((resolve) =>
      child.once('exit', (code, signal) =>
        resolve(`the controller ended with ${code ?? signal}: ${this.log.slice(-1000)}`),
      ),
    );
  }

  /** `preload` = a module that the controller's process loads first. */
  static async start(settings: Record<string, string> = {}, preload?: string): Promise<AbusedController> {
    // Below /tmp itself: as root Postgres runs under an account that may not enter a private TMPDIR.
    const stateDir = await mkdtemp('/tmp/peerlab-abuse-');
    await chmod(stateDir, 0o755);
    try {
      const { address } = await ensurePostgres(stateDir, ['fsync=off', 'full_page_writes=off']);
      const userToken = await createToken(stateDir, 'user');
      const agentToken = await createToken(stateDir, 'agent');
      const child = spawn(process.execPath, [...(preload === undefined ? [] : ['--import', preload]), MAIN], {
        env: { ...environment(stateDir), ...settings },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      return new AbusedController(await listening(child), agentToken, userToken, stateDir, address, child);
    } catch (error) {
      await stopPostgres(stateDir);
      await rm(stateDir, { recursive: true, force: true });
      throw error;
    }
  }

  /** Resident memory in MiB. */
  get memoryMib(): number {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
  }

  get alive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Sends a signal to its process. */
  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Resolves with the exit code or the signal that ended it, and what it said last. */
  get ended(): Promise<string> {
    return this.#ended;
  }

  /** `work`, or a rejection as soon as the controller ends. */
  async during<T>(work: Promise<T>): Promise<T> {
    return Promise.race([
      work,
      this.#ended.then((why): never => {
        throw new Error(why);
      }),
    ]);
  }

  /** Milliseconds until it answers an ordinary request. */
  async answersWithin(): Promise<number> {
    const at = performance.now();
    const response = await this.during(fetch(`${this.url}/api/v1/runs`));
    await response.arrayBuffer();
    if (response.status !== 200) throw new Error(`the controller answers ${response.status}`);
    return performance.now() - at;
  }

  /** A connected agent that said hello. */
  async agent(machines: string[] = []): Promise<FakeAgent> {
    const agent = await FakeAgent.connect(this.url, this.agentToken, { name: 'abuser', machines });
    await agent.hello();
    return agent;
  }

  /** A connection to its database. */
  async database(): Promise<Client> {
    const client = new Client(pgOptions(this.address));
    await client.connect();
    return client;
  }

  async stop(): Promise<void> {
    if (this.alive) {
      const gone = once(this.child, 'exit');
      this.child.kill('SIGKILL');
      await gone;
    }
    await stopPostgres(this.stateDir);
    await rm(this.stateDir, { recursive: true, force: true });
  }
}

/** Ours, without the settings of a farm that may run on this computer. */
function environment(stateDir: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => name !== 'DATABASE_URL' && !name.startsWith('PEERLAB_'));
  return { ...Object.fromEntries(kept), PEERLAB_STATE: stateDir, PEERLAB_PORT: '0' };
}

async function createToken(stateDir: string, kind: 'user' | 'agent'): Promise<string> {
  const args = [MAIN, 'token', 'create', '--kind', kind, '--name', 'abuser'];
  const child = spawn(process.execPath, args, { env: environment(stateDir), stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  child.stdout.on('data', (piece: Buffer) => (text += piece.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`token create ended with ${code}`);
  return text.trim();
}

/** The URL that the controller prints. */
function listening(controller: ChildProcess): Promise<string> {
  return new Promise((done, fail) => {
    controller.once('error', fail);
    controller.once('exit', (code) => fail(new Error(`the controller ended with ${code} while it started`)));
    if (controller.stdout === null) return fail(new Error('the controller has no output'));
    createInterface({ input: controller.stdout }).on('line', (line) => {
      const said = JSON.parse(line) as { event: string; url?: string };
      if (said.event === 'listening' && said.url !== undefined) done(said.url);
    });
  });
}
