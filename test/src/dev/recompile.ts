import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** Editors write several files at once, in milliseconds. */
const SETTLE_MS = 100;

export interface RecompileOptions {
  command: string[];
  cwd: string;
  /** Takes each line that the compiler prints. */
  onLine: (line: string) => void;
  /** Called after each compilation without an error. */
  onSuccess: () => Promise<void>;
}

/**
 * Runs the compiler after changes, one run at a time; what changes during a run leads to another one. The watch mode
 * of the compiler itself (7.0) was seen to miss changes for good.
 */
export class Recompile {
  readonly #options: RecompileOptions;
  #isWanted = false;
  #running: Promise<void> | null = null;
  #isStopped = false;

  constructor(options: RecompileOptions) {
    this.#options = options;
  }

  request(): void {
    this.#isWanted = true;
    this.#running ??= this.#run().finally(() => (this.#running = null));
  }

  /** Resolves when no run is in progress; there is none after it. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#isWanted && !this.#isStopped) {
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      this.#isWanted = false;
      if ((await this.#compile()) && !this.#isWanted && !this.#isStopped) await this.#options.onSuccess();
    }
  }

  async #compile(): Promise<boolean> {
    const { command, cwd, onLine } = this.#options;
    const [program = '', ...args] = command;
    const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', onLine);
    const [code] = (await once(child, 'close')) as [number | null];
    onLine(code === 0 ? 'no errors' : 'errors: the controller still runs what was compiled before');
    return code === 0;
  }
}
