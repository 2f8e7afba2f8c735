import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { makeFakeBundle } from '@peerlab/agent/fake';
import { HttpClient } from '@peerlab/client';
import type { BundleManifest } from '@peerlab/contracts';
import { type DatabaseAddress, ensurePostgres, eventually, pgOptions, stopPostgres } from '@peerlab/controller/testing';
import pg from 'pg';
import { Lab } from './lab.js';
import { AGENT_DIST, AGENT_PRELOAD, CONTROLLER_MAIN, PRELOAD, Program } from './program.js';
import { FaultyProxy } from './proxy.js';
import { AGENTS, MACHINES, TESTS } from './schedule.js';
import { startRecording } from './trace-recorder.js';
import {
  AFFLICTION_VARIABLE,
  AGENT_DIST_VARIABLE,
  type Affliction,
  CLOCK_VARIABLE,
  databaseClock,
  MUTANT_VARIABLE,
  type Mutant,
  type VirtualClock,
} from './virtual-time.js';

export const SUITE = 'p2p-functional';
/** A kill of a process loses nothing that was written, so nothing is gained by waiting for the disk. */
const POSTGRES_OPTIONS = ['fsync=off', 'synchronous_commit=on', 'full_page_writes=off'];

/** For a program to be up, on a computer that has hardly any time for it. */
const STARTED_MS = 300_000;
const STARTED = { limitMs: STARTED_MS, everyMs: 50 };
/** A lease of 30 seconds in five. */
const RATE_MAX = 6;
const RATE_MIN = 1.5;
/** On two idle cores. */
const PROGRAM_SECONDS = 2.5;

/** int8 as number, as the controller reads it. */
const types = new pg.TypeOverrides(pg.types);
types.setTypeParser(pg.types.builtins.INT8, (text: string) => Number(text));

/** Two controllers, two agents each behind a proxy, Postgres, and a lab of fake machines: real processes all. */
export class FaultFarm {
  readonly controllers: Program[] = [];
  /** Ports of the controllers that listen; null while one is down. */
  readonly ports: (number | null)[] = [];
  /** In the order of AGENTS, as the proxies. */
  agents: Program[] = [];
  lab!: Lab;
  proxies: FaultyProxy[] = [];
  manifest!: BundleManifest;
  /** What runs name the bundle by. */
  bundleKey = '';
  #userToken = '';
  #address!: DatabaseAddress;
  #agentDrift = 1;
  #connected: Promise<pg.Client> | null = null;
  readonly #mutant: Mutant | null;
  #turn = 0;

  clock: VirtualClock = { epochMs: Date.now(), rate: 1 };

  private constructor(
    readonly folder: string,
    mutant: Mutant | null,
  ) {
    this.#mutant = mutant;
  }

  /**
   * Starts everything on a folder of its own. `rate` = virtual seconds in a real one; null = as fast as
   * this computer can follow just now. `mutant` = what is broken in the agent on purpose.
   */
  static async start(rate: number | null, mutant: Mutant | null = null): Promise<FaultFarm> {
    // Below /tmp itself: as root Postgres runs under an account that may not enter a private TMPDIR.
    const folder = await mkdtemp('/tmp/peerlab-faults-');
    await chmod(folder, 0o755);
    const farm = new FaultFarm(folder, mutant);
    try {
      await farm.#start(rate);
      return farm;
    } catch (error) {
      await farm.stop();
      throw error;
    }
  }

  /** Real milliseconds for virtual ones. */
  realMs(virtualMs: number): number {
    return virtualMs / this.clock.rate;
  }

  /** Resolves when so much virtual time has passed. */
  async pass(virtualMs: number): Promise<void> {
    await pause(this.realMs(virtualMs));
  }

  async #start(rate: number | null): Promise<void> {
    this.#address = (await ensurePostgres(this.folder, POSTGRES_OPTIONS)).address;
    await this.#setDatabaseClock();
    const startedAt = performance.now();
    this.#userToken = await this.#createToken('user', 'fault-suite');
    const tokens: string[] = [];
    for (const { name } of AGENTS) tokens.push(await this.#createToken('agent', name));
    const programSeconds = (performance.now() - startedAt) / 1000 / (1 + AGENTS.length);
    this.clock = { epochMs: Date.now(), rate: rate ?? rateFor(programSeconds) };
    await this.#setDatabaseClock();
    const suite = { name: SUITE, testTimeoutSeconds: 12, timeoutSeconds: 60, tests: TESTS };
    const bundle = await makeFakeBundle(this.folder, [suite]);
    this.manifest = bundle.manifest;
    this.lab = await Lab.start(join(this.folder, 'lab'), MACHINES, this.manifest, this.clock);
    for (const index of [0, 1]) this.#addController(index);
    await this.startController(0);
    await startRecording(this);
    for (const [index, token] of tokens.entries()) {
      this.proxies[index] = await FaultyProxy.start(() => this.#nextPort());
      await this.#writeAgentConfig(index, token);
    }
    this.bundleKey = await this.#registerBundle(bundle);
    this.restartAgentPrograms(1);
    for (const agent of this.agents) agent.start();
    await eventually(
      'machines that can be leased',
      () => this.query('select m.* from machine_path p join machine m on m.name = p.machine where m.reachable'),
      (ready) => ready.length === MACHINES.length,
      STARTED,
    );
  }

  /** A client of a controller that listens now. */
  async client(): Promise<HttpClient> {
    await eventually(
      'a controller that listens',
      () => this.ports,
      (ports) => ports.some((port) => port !== null),
      STARTED,
    );
    return new HttpClient({ url: `http://127.0.0.1:${this.#nextPort()}`, token: () => this.#userToken });
  }

  /** Rows of a statement; tried again on a new connection while Postgres is away. */
  async query<T extends object>(text: string, values: unknown[] = []): Promise<T[]> {
    const end = Date.now() + STARTED_MS;
    for (;;) {
      let client: pg.Client | null = null;
      try {
        client = await this.#connection();
        return (await client.query<T>(text, values)).rows;
      } catch (error) {
        if (client === null || isAway(error)) this.#disconnect();
        if (Date.now() > end || !isAway(error)) throw error;
        await pause(100);
      }
    }
  }

  /** One connection for all statements: to open one costs more than most of them. */
  #connection(): Promise<pg.Client> {
    const connected = this.#connected ?? connectTo(this.#address, () => this.#disconnect(connected));
    this.#connected = connected;
    return connected;
  }

  /** The next statement gets a new connection, unless it has one that came after `connected`. */
  #disconnect(connected = this.#connected): void {
    if (connected === null || connected !== this.#connected) return;
    this.#connected = null;
    void connected.then((client) => client.end()).catch(() => undefined);
  }

  /** Resolves when it listens. One that gives up before is started again, as a service manager would. */
  async startController(index: number): Promise<void> {
    const program = this.controllers[index];
    if (program === undefined) throw new Error(`no controller ${index}`);
    const look = (): { port: number | null | undefined; gaveUp: readonly string[] } => {
      program.start();
      return { port: this.ports[index], gaveUp: program.gaveUp };
    };
    await eventually(`controller ${index} to listen`, look, ({ port }) => typeof port === 'number', STARTED);
  }

  async killController(index: number): Promise<void> {
    await this.controllers[index]?.kill();
  }

  /** Nothing happens while it does not run. */
  async killPostgres(): Promise<void> {
    const pidFile = join(this.folder, 'postgres/data/postmaster.pid');
    if (!existsSync(pidFile)) return;
    const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
    try {
      // 0 is what a file that is just being written reads as, and would be this process's own group.
      if (pid > 0) process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** Whether Postgres does. */
  async answers(): Promise<boolean> {
    const client = new pg.Client(pgOptions(this.#address));
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('select 1');
      return true;
    } catch {
      return false;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** New agent programs with this drift; those before must have ended. */
  restartAgentPrograms(drift: number): void {
    if (this.agents.length > 0 && this.#agentDrift === drift) return;
    this.#agentDrift = drift;
    this.agents = AGENTS.map((agent) => this.#agentProgram(agent, drift));
  }

  #agentProgram({ name, folder }: (typeof AGENTS)[number], drift: number): Program {
    return new Program({
      name,
      args: ['--import', AGENT_PRELOAD, join(AGENT_DIST, 'main.js'), '--config', join(this.folder, `${folder}.yaml`)],
      env: {
        ...cleanEnvironment(),
        ...this.#clockEnvironment(drift),
        [AFFLICTION_VARIABLE]: join(this.folder, `affliction-${name}.json`),
        [AGENT_DIST_VARIABLE]: AGENT_DIST,
        ...(this.#mutant !== null && { [MUTANT_VARIABLE]: this.#mutant }),
      },
      logFile: join(this.folder, `${folder}.log`),
    });
  }

  /** Lets an agent's wall clock jump or its disk be full; goes on until it is changed again. */
  async afflict(agent: number, affliction: Affliction): Promise<void> {
    const file = join(this.folder, `affliction-${AGENTS[agent]?.name}.json`);
    await writeFile(`${file}.new`, JSON.stringify(affliction));
    await rename(`${file}.new`, file);
  }

  /** Attempts whose evidence lies on an agent's disk. */
  spooled(): string[] {
    return AGENTS.flatMap(({ folder }) => {
      const spool = join(this.folder, folder, 'state/spool');
      return existsSync(spool) ? readdirSync(spool) : [];
    });
  }

  /** The machine's whole console, line by line. */
  async consoleOf(machine: string): Promise<string[]> {
    const text = await readFile(join(this.folder, 'lab', machine, 'console.log'), 'utf8');
    return text.split('\n').map((line) => line.replace(/\r$/, ''));
  }

  /** What is kept is the folder: logs of the processes, the agent's spool, the database. */
  async stop({ keep = process.env['PEERLAB_FAULTS_KEEP'] !== undefined } = {}): Promise<void> {
    for (const program of [...this.controllers, ...this.agents]) await program.end();
    for (const proxy of this.proxies) await proxy.stop();
    await this.lab?.stop();
    this.#disconnect();
    await stopPostgres(this.folder).catch(() => undefined);
    if (keep) process.stderr.write(`faults: kept ${this.folder}\n`);
    else await rm(this.folder, { recursive: true, force: true });
  }

  /** Listening controllers take turns. */
  #nextPort(): number | null {
    const listening = this.ports.filter((port) => port !== null);
    this.#turn += 1;
    return listening[this.#turn % Math.max(1, listening.length)] ?? null;
  }

  async #setDatabaseClock(): Promise<void> {
    for (const statement of databaseClock('peerlab', this.clock)) await this.query(statement);
    // A session keeps the search path that it began with.
    this.#disconnect();
  }

  #addController(index: number): void {
    this.ports[index] = null;
    this.controllers[index] = new Program(
      {
        name: `controller ${index}`,
        args: ['--import', PRELOAD, CONTROLLER_MAIN],
        env: { ...this.#controllerEnvironment(), ...this.#clockEnvironment(1) },
        logFile: join(this.folder, `controller-${index}.log`),
        saysUp: (line) => listeningPort(line) !== null,
        onEnd: () => {
          this.ports[index] = null;
        },
      },
      (line) => {
        this.ports[index] = listeningPort(line) ?? this.ports[index] ?? null;
      },
    );
  }

  #controllerEnvironment(): NodeJS.ProcessEnv {
    return { ...cleanEnvironment(), PEERLAB_STATE: this.folder, PEERLAB_PORT: '0' };
  }

  #clockEnvironment(drift: number): NodeJS.ProcessEnv {
    return { [CLOCK_VARIABLE]: JSON.stringify({ ...this.clock, drift }) };
  }

  async #createToken(kind: 'user' | 'agent', name: string): Promise<string> {
    const args = [CONTROLLER_MAIN, 'token', 'create', '--kind', kind, '--name', name];
    const child = spawn(process.execPath, args, {
      env: this.#controllerEnvironment(),
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let text = '';
    child.stdout.on('data', (piece: Buffer) => (text += piece.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`token create ended with ${code}`);
    return text.trim();
  }

  async #writeAgentConfig(index: number, token: string): Promise<void> {
    const { name, folder, machines } = AGENTS[index === 0 ? 0 : 1];
    await mkdir(join(this.folder, folder), { recursive: true });
    await writeFile(join(this.folder, folder, 'token'), token);
    // YAML is a superset of JSON.
    const config = {
      controller: `http://127.0.0.1:${this.proxies[index]?.port}`,
      tokenFile: `${folder}/token`,
      name,
      stateDir: `${folder}/state`,
      cacheDir: `${folder}/cache`,
      capabilities: ['test'],
      machines: machines.map((machine) => this.lab.machine(machine).config),
    };
    await writeFile(join(this.folder, `${folder}.yaml`), JSON.stringify(config));
  }

  async #registerBundle(bundle: { tar: string; sha256: string }): Promise<string> {
    const client = await this.client();
    await client.upload(bundle.sha256, new Uint8Array(await readFile(bundle.tar)));
    const { key } = await client.call('registerBundle', { body: { manifest: this.manifest, sha256: bundle.sha256 } });
    return key;
  }
}

/**
 * How fast time may run where a small program takes this long to start. If it runs too fast, leases run
 * out only because the computer is too slow to renew them, and no run ends.
 */
function rateFor(programSeconds: number): number {
  const rate = RATE_MAX * Math.min(1, PROGRAM_SECONDS / programSeconds);
  return Math.max(RATE_MIN, Math.round(rate * 10) / 10);
}

/** Of a controller that says that it listens; null for any other line, also one that a kill cut short. */
function listeningPort(line: string): number | null {
  try {
    const said = JSON.parse(line) as { event?: string; url?: string };
    return said.event === 'listening' && said.url !== undefined ? Number(new URL(said.url).port) : null;
  } catch {
    return null;
  }
}

/** `onBroken` is called when the connection is of no use any more. */
async function connectTo(address: DatabaseAddress, onBroken: () => void): Promise<pg.Client> {
  const client = new pg.Client({ ...pgOptions(address), types });
  client.on('error', onBroken);
  await client.connect();
  return client;
}

/** Ours, without the settings of a farm that may run on this computer. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => name !== 'DATABASE_URL' && !name.startsWith('PEERLAB_'));
  return Object.fromEntries(kept);
}

/** Postgres does not run, is starting, or went away in the middle. */
function isAway(error: unknown): boolean {
  const code = (error as { code?: string }).code ?? '';
  const text = error instanceof Error ? error.message : '';
  return /^(ECONN|ENOENT|57P0|EPIPE)/.test(code) || /terminated|closed|ended|not queryable/i.test(text);
}
