import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../../..');
/** Built programs: what is killed here is what people run. */
export const CONTROLLER_MAIN = join(ROOT, 'apps/controller/dist/main.js');
export const AGENT_DIST = join(ROOT, 'apps/agent/dist');
export const PRELOAD = join(ROOT, 'test/dist/faults/preload.js');
export const AGENT_PRELOAD = join(ROOT, 'test/dist/faults/agent-preload.js');

export interface ProgramSettings {
  name: string;
  /** Everything after `node`. */
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  logFile: string;
  /** Whether a line of its output says that it is up; without it a program is up from its start. */
  saysUp?: (line: string) => boolean;
  /** Called whenever it ends. */
  onEnd?: () => void;
}

/** A program of the farm that is killed, frozen and started again; a program that ends by itself is noted. */
export class Program {
  /** Ends of the program while it was up that the suite did not cause. */
  readonly unexpected: string[] = [];
  /** The same before it was up. */
  readonly gaveUp: string[] = [];
  readonly #settings: ProgramSettings;
  readonly #log: WriteStream;
  readonly #onLine: (line: string) => void;
  #child: ChildProcess | null = null;
  #wanted = false;

  constructor(settings: ProgramSettings, onLine: (line: string) => void = () => undefined) {
    this.#settings = settings;
    this.#log = createWriteStream(settings.logFile, { flags: 'a' });
    this.#onLine = onLine;
  }

  get name(): string {
    return this.#settings.name;
  }

  get alive(): boolean {
    return this.#child !== null;
  }

  /** It ended by itself and was not started again. */
  get fallen(): boolean {
    return this.#wanted && this.#child === null;
  }

  start(): void {
    if (this.#child !== null) return;
    const child = spawn(process.execPath, this.#settings.args, {
      env: this.#settings.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#wanted = true;
    const { saysUp, onEnd } = this.#settings;
    let up = saysUp === undefined;
    let lastOutput = '';
    child.stderr?.on('data', (piece: Buffer) => {
      lastOutput = (lastOutput + piece.toString()).slice(-2000);
      this.#log.write(piece);
    });
    if (child.stdout !== null) {
      const lines = createInterface({ input: child.stdout });
      lines.on('error', () => undefined);
      lines.on('line', (line) => {
        this.#log.write(`${line}\n`);
        up ||= saysUp?.(line) === true;
        this.#onLine(line);
      });
    }
    child.once('exit', (code, signal) => {
      this.#child = null;
      onEnd?.();
      if (!this.#wanted) return;
      (up ? this.unexpected : this.gaveUp).push(`${this.name} ended with ${code ?? signal}: ${lastOutput.slice(-600)}`);
    });
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#wanted = false;
    if (child === null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }

  /** For good. */
  async end(): Promise<void> {
    this.signal('SIGCONT');
    await this.kill();
    this.#log.end();
  }
}
