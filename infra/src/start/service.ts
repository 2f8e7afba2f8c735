import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, closeSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { endProcess, startTimeOf } from '@peerlab/runtime';
import { forgetProcess, rememberedProcess, rememberProcess } from './process-file.js';

/** A service that exits within SHORT_LIFE_MS after its start SHORT_LIVES times in a row has failed for good. */
const SHORT_LIFE_MS = 5000;
const SHORT_LIVES = 3;
/** How long a service gets to exit before it is killed. */
const STOP_MS = 60_000;

export interface ServiceSpec {
  name: string;
  command: string[];
  env?: Record<string, string>;
}

/**
 * A process of the farm. Its log is a file, so that it can outlive its parent. It is restarted when it exits, until
 * `stop`.
 */
export class Service {
  private child: ChildProcess | null = null;
  private stopping = false;
  private shortLives = 0;
  /** Resolves when the service failed for good; the message has the last lines of its log. */
  readonly failed: Promise<Error>;
  private giveUp: (error: Error) => void = () => undefined;

  constructor(
    private readonly spec: ServiceSpec,
    private readonly stateDir: string,
    private readonly say: (line: string) => void,
  ) {
    this.failed = new Promise((resolve) => (this.giveUp = resolve));
  }

  get logFile(): string {
    return join(this.stateDir, 'log', `${this.spec.name}.log`);
  }

  private get processFile(): string {
    return join(this.stateDir, 'run', `${this.spec.name}.json`);
  }

  /** Stops the process that an earlier, killed start left running. */
  async endLeftOver(): Promise<void> {
    const leftOver = await rememberedProcess(this.processFile);
    if (leftOver !== null) {
      this.say(`stopping the ${this.spec.name} of an earlier start (process ${leftOver})`);
      await endService(leftOver);
    }
  }

  async start(): Promise<void> {
    mkdirSync(join(this.stateDir, 'log'), { recursive: true });
    const log = openSync(this.logFile, 'a');
    const [command = '', ...args] = this.spec.command;
    const startedAt = Date.now();
    // A process group of its own: Ctrl-C must reach only this process, which stops the services in order.
    const child = spawn(command, args, {
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...process.env, ...this.spec.env },
    });
    closeSync(log);
    this.child = child;
    child.once('exit', (code, signal) => void this.ended(code, signal, Date.now() - startedAt));
    await once(child, 'spawn');
    if (child.pid !== undefined) await rememberProcess(this.processFile, child.pid);
  }

  private async ended(code: number | null, signal: NodeJS.Signals | null, livedMs: number): Promise<void> {
    this.child = null;
    if (this.stopping) return;
    this.shortLives = livedMs < SHORT_LIFE_MS ? this.shortLives + 1 : 0;
    // Exit code 2 means a wrong configuration in every program of this repository: restarting does not help.
    if (code === 2 || this.shortLives >= SHORT_LIVES) {
      this.giveUp(
        new Error(`the ${this.spec.name} keeps exiting; the last lines of ${this.logFile}:\n${this.lastLines(12)}`),
      );
      return;
    }
    this.say(`the ${this.spec.name} exited (${signal ?? `exit code ${code}`}); restarting it`);
    await delay(500 * this.shortLives);
    if (!this.stopping) await this.start();
  }

  lastLines(count: number): string {
    try {
      return readFileSync(this.logFile, 'utf8')
        .trimEnd()
        .split('\n')
        .slice(-count)
        .map((line) => `  ${line}`)
        .join('\n');
    } catch {
      return '  (no log)';
    }
  }

  async stop(): Promise<void> {
    this.stopping = true;
    const pid = this.child?.pid;
    if (pid !== undefined) await endService(pid);
    await forgetProcess(this.processFile);
  }
}

/** The service ends what it started itself; its group is killed when it does not end in time. */
async function endService(pid: number): Promise<void> {
  const startTime = startTimeOf(pid);
  if (startTime !== null) await endProcess({ pid, startTime }, STOP_MS);
}
