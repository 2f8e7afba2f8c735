import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { HEARTBEAT_SECONDS, type HeldParticipant } from '@peerlab/contracts';
import { ensurePostgres, FakeAgent, pgOptions, stopPostgres, type DatabaseAddress } from '@peerlab/controller/testing';
import { Client, TypeOverrides, types } from 'pg';

const MAIN = join(dirname(fileURLToPath(import.meta.url)), '../../../apps/controller/dist/main.js');
const LOG_KEPT = 4000;

/** An attempt that the measurement's agent holds. */
export type Held = Pick<HeldParticipant, 'participantId' | 'fence'>;

/** int8 as number, as the controller reads it: the floor must not do less than that. */
const numbersForInt8 = new TypeOverrides(types);
numbersForInt8.setTypeParser(types.builtins.INT8, (text: string) => Number(text));

/** A controller in a process of its own on an embedded Postgres of its own, with default durability. */
export class BenchFarm {
  readonly url: string;
  readonly stateDir: string;
  readonly #address: DatabaseAddress;
  readonly #controller: ChildProcess;
  readonly #clients: Client[] = [];
  readonly #beats: NodeJS.Timeout[] = [];
  readonly #agents: FakeAgent[] = [];
  #stopped: Promise<void> | null = null;

  private constructor(url: string, stateDir: string, address: DatabaseAddress, controller: ChildProcess) {
    this.url = url;
    this.stateDir = stateDir;
    this.#address = address;
    this.#controller = controller;
  }

  /** Takes a few seconds; what was started is stopped again when this throws. */
  static async start(): Promise<BenchFarm> {
    // Below /tmp itself: as root Postgres runs under an account that may not enter a private TMPDIR.
    const stateDir = await mkdtemp('/tmp/peerlab-bench-');
    await chmod(stateDir, 0o755);
    try {
      const { address } = await ensurePostgres(stateDir);
      const controller = spawn(process.execPath, [MAIN], {
        env: environment(stateDir),
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      return new BenchFarm(await listening(controller), stateDir, address, controller);
    } catch (error) {
      await discard(stateDir);
      throw error;
    }
  }

  /** Process number of the controller. */
  get controllerPid(): number {
    return this.#controller.pid ?? 0;
  }

  /** A connection for fixtures and floors. */
  async connect(): Promise<Client> {
    const client = new Client({ ...pgOptions(this.#address), types: numbersForInt8 });
    await client.connect();
    this.#clients.push(client);
    return client;
  }

  /** A connected agent that beats as the real one does; `held` is read at every beat. */
  async agent(name: string, machines: string[], held: readonly Held[] = []): Promise<FakeAgent> {
    const token = await createToken(this.stateDir, name);
    const agent = await FakeAgent.connect(this.url, token, { name, machines, capabilities: ['test'], buildSlots: 0 });
    await agent.hello();
    this.#agents.push(agent);
    const beat = (): void =>
      agent.heartbeat(held.map((attempt) => ({ ...attempt, machine: null, stage: null, nextSeq: {} })));
    this.#beats.push(setInterval(beat, HEARTBEAT_SECONDS * 1000));
    return agent;
  }

  /** Stops everything once, however many ask for it: the end of a measurement and an interruption may both. */
  stop(): Promise<void> {
    return (this.#stopped ??= this.#stopAll());
  }

  async #stopAll(): Promise<void> {
    for (const beat of this.#beats) clearInterval(beat);
    for (const agent of this.#agents) agent.vanish();
    // A query that was interrupted fails where it is awaited, not here.
    await Promise.allSettled(this.#clients.map((client) => client.end()));
    if (this.#controller.exitCode === null && this.#controller.signalCode === null) {
      const gone = once(this.#controller, 'exit');
      this.#controller.kill('SIGTERM');
      await gone;
    }
    await discard(this.stateDir);
  }
}

async function discard(stateDir: string): Promise<void> {
  await stopPostgres(stateDir);
  await rm(stateDir, { recursive: true, force: true });
}

/** Ours, without the settings of a farm that may run on this computer. */
function environment(stateDir: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => name !== 'DATABASE_URL' && !name.startsWith('PEERLAB_'));
  return { ...Object.fromEntries(kept), PEERLAB_STATE: stateDir, PEERLAB_PORT: '0' };
}

async function createToken(stateDir: string, name: string): Promise<string> {
  const args = [MAIN, 'token', 'create', '--kind', 'agent', '--name', name];
  const child = spawn(process.execPath, args, { env: environment(stateDir), stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  child.stdout.on('data', (piece: Buffer) => (text += piece.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`token create ended with ${code}`);
  return text.trim();
}

/** The URL that the controller prints; throws with its last log lines when it ends before. */
function listening(controller: ChildProcess): Promise<string> {
  let log = '';
  controller.stderr?.on('data', (piece: Buffer) => (log = (log + piece.toString()).slice(-LOG_KEPT)));
  return new Promise((done, fail) => {
    controller.once('error', fail);
    controller.once('exit', (code) => fail(new Error(`the controller ended with ${code}:\n${log}`)));
    if (controller.stdout === null) return fail(new Error('the controller has no output'));
    createInterface({ input: controller.stdout }).on('line', (line) => {
      const said = JSON.parse(line) as { event: string; url?: string };
      if (said.event === 'listening' && said.url !== undefined) done(said.url);
    });
  });
}
