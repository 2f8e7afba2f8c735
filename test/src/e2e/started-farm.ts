import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HttpClient } from '@peerlab/client';
import { cacheFolder } from '@peerlab/runtime';
import type { AttemptDetail, LogLine, LogStream, RunDetail } from '@peerlab/contracts';
import { eventually } from '@peerlab/controller/testing';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');

/** `npm start` as a user types it, on a state folder and ports of its own. */
export class StartedFarm {
  output = '';
  readonly exit: Promise<number>;

  private constructor(
    readonly child: ChildProcess,
    readonly stateDir: string,
    readonly url: string,
    /** Where `npm start` keeps what it built. */
    readonly cacheDir: string,
  ) {
    this.exit = new Promise((resolve) => child.once('close', (code) => resolve(code ?? -1)));
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (piece: Buffer) => {
        this.output += piece.toString('utf8');
        if (process.env['PEERLAB_TEST_VERBOSE'] !== undefined) process.stderr.write(piece);
      });
    }
  }

  /** @param settings what a user has in the environment, such as `PEERLAB_HEALTH` */
  static async start(
    args: string[],
    stateDir?: string,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<StartedFarm> {
    const state = stateDir ?? (await mkdtemp(join(tmpdir(), 'peerlab-e2e-')));
    // The embedded Postgres runs as another account when we are root, and must get in.
    await chmod(state, 0o755);
    const port = await freePort();
    const labPort = 30_000 + Math.floor(Math.random() * 20_000);
    // The set-up has been done by `npm test`, so the program behind `npm start` is called directly.
    const main = join(root, 'infra/dist/start/main.js');
    const child = spawn('node', [main, '--port', String(port), '--lab-port-base', String(labPort), ...args], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...settings, PEERLAB_STATE: state, NO_COLOR: '1' },
    });
    return new StartedFarm(child, state, `http://127.0.0.1:${port}`, cacheFolder());
  }

  /** Waits for a line of output; fails with all output when the program ends first. */
  async said(pattern: RegExp, limitMs: number): Promise<RegExpExecArray> {
    return this.until(`output ${pattern}`, limitMs, async () => pattern.exec(this.output));
  }

  async until<T>(what: string, limitMs: number, look: () => Promise<T | null>): Promise<T> {
    const lookAgain = async (): Promise<T | null> => {
      const found = await look();
      if (found === null && this.child.exitCode !== null) {
        throw new Error(`the farm ended with ${this.child.exitCode} before ${what}`);
      }
      return found;
    };
    try {
      const found = await eventually(what, lookAgain, (value) => value !== null, { limitMs, everyMs: 200 });
      if (found !== null) return found;
    } catch (error) {
      throw new Error(`${(error as Error).message}\noutput of the farm:\n${this.output}`, { cause: error });
    }
    throw new Error(`${what} is null`);
  }

  async token(): Promise<string> {
    return (await readFile(join(this.stateDir, 'user.token'), 'utf8')).trim();
  }

  async client(): Promise<HttpClient> {
    const token = await this.token();
    return new HttpClient({ url: this.url, token: () => token });
  }

  async pidOf(service: 'controller' | 'agent' | 'lab'): Promise<number> {
    const { pid } = JSON.parse(await readFile(join(this.stateDir, 'run', `${service}.json`), 'utf8')) as {
      pid: number;
    };
    return pid;
  }

  /** Ctrl-C. @returns the exit code */
  async interrupt(): Promise<number> {
    this.child.kill('SIGINT');
    return this.exit;
  }

  async remove(): Promise<void> {
    if (this.child.exitCode === null) await this.interrupt();
    await rm(this.stateDir, { recursive: true, force: true });
  }

  /** Command lines of processes that still work on this farm's state folder. */
  async leftOvers(): Promise<string[]> {
    const found: string[] = [];
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      if (Number(pid) === process.pid) continue;
      try {
        const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ');
        const folder = await readlink(`/proc/${pid}/cwd`);
        if (command.includes(this.stateDir) || folder.startsWith(this.stateDir)) found.push(`${pid} ${command}`);
      } catch {
        // It ended while we looked.
      }
    }
    return found;
  }
}

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}

/** Submits a run and waits for its end. */
export async function runToTheEnd(client: HttpClient, yaml: string, limitMs: number): Promise<RunDetail> {
  const { id } = await client.call('submitRun', { body: { yaml } });
  return awaitEnd(client, id, limitMs);
}

export async function awaitEnd(client: HttpClient, id: string, limitMs: number): Promise<RunDetail> {
  let run: RunDetail | null = null;
  const look = async (): Promise<unknown> => {
    run = await client.call('getRun', { params: { run: id } });
    // What a wait that is in vain shows.
    return run.state === 'ended' ? null : run.jobViews.map((j) => [j.build, j.machine, j.state, j.waiting]);
  };
  await eventually(`the end of run ${id}`, look, (open) => open === null, { limitMs, everyMs: 500 });
  if (run === null) throw new Error(`run ${id} was never read`);
  return run;
}

/** Every line of a stream as stored, in order. */
export async function wholeLog(client: HttpClient, attempt: string, stream: LogStream): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  for (;;) {
    const page = await client.call('getLog', {
      params: { attempt },
      query: { stream, from: lines.length, limit: 10_000 },
    });
    lines.push(...page.lines);
    if (page.lines.length === 0 || lines.length >= page.total) return lines;
  }
}

/** The attempts of a run's test jobs by machine; fails when a job has none. */
export async function attemptsOf(client: HttpClient, run: RunDetail): Promise<AttemptDetail[]> {
  const ids = run.jobViews.flatMap((job) => job.attempts.map((attempt) => attempt.id));
  return Promise.all(ids.map((attempt) => client.call('getAttempt', { params: { attempt } })));
}
