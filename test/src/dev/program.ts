import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** How long a program gets to end after SIGTERM, in milliseconds. */
const STOP_MS = 20_000;

export interface ProgramOptions {
  /** Begins each line of its output. */
  name: string;
  command: string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** Takes each line of stdout and stderr. */
  onLine: (line: string) => void;
}

/** A child process in a process group of its own, so that Ctrl-C in the terminal reaches only us. */
export class Program {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  #stopping = false;
  /** Rejects when the program ends without `stop`; never resolves. */
  readonly failed: Promise<never>;

  constructor({ name, command, cwd, env, onLine }: ProgramOptions) {
    const [program = '', ...args] = command;
    this.#name = name;
    this.#child = spawn(program, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#closed = once(this.#child, 'close');
    this.#closed.catch(() => undefined);
    for (const stream of [this.#child.stdout, this.#child.stderr])
      if (stream !== null) createInterface({ input: stream }).on('line', onLine);
    this.failed = new Promise((_, reject) => {
      this.#child.once('error', reject);
      this.#child.once('exit', (code, signal) => {
        if (!this.#stopping) reject(new Error(`${this.#name} ended with ${signal ?? `exit code ${code}`}`));
      });
    });
    this.failed.catch(() => undefined);
  }

  /** SIGTERM, SIGKILL when that takes too long; then SIGKILL to the children that it left. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const { pid } = this.#child;
    if (pid === undefined) return;
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'exit');
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
      this.#child.kill('SIGTERM');
      await exited;
      clearTimeout(timer);
    }
    try {
      process.kill(-pid, 'SIGKILL');
    } catch (error) {
      // There is usually nothing left in the group.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    await this.#closed;
  }
}
