import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive, type ProcessIdentity } from './process-identity.js';

/** Between two looks whether a process that is not a child of this one has ended. */
const POLL_MS = 50;
/** Time between SIGTERM and SIGKILL, in milliseconds. */
export const GRACE_MS = 5_000;
/** Time for the kernel to end a process that was sent SIGKILL; one that waits for a broken disk may take for ever. */
const KILL_MS = 5_000;
const OUTPUT_MAX_BYTES = 64 * 1024;

/**
 * Signals a process, or with `-pid` a process group.
 * @returns false when there is none
 * @throws Error when this process may not signal it
 */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/**
 * Ends a process that need not be a child of this one, such as one that an earlier run left: SIGTERM to it alone, so
 * that it can end its own children in order, and SIGKILL to its whole group when it has not ended after `graceMs`.
 * Resolves when it is gone, or KILL_MS after SIGKILL.
 */
export async function endProcess(process: ProcessIdentity, graceMs = GRACE_MS): Promise<void> {
  if (!isAlive(process)) return;
  sendSignal(process.pid, 'SIGTERM');
  if (await isGoneWithin(process, graceMs)) return;
  // Only a process that leads a group has one of its id.
  if (!sendSignal(-process.pid, 'SIGKILL')) sendSignal(process.pid, 'SIGKILL');
  await isGoneWithin(process, KILL_MS);
}

async function isGoneWithin(process: ProcessIdentity, ms: number): Promise<boolean> {
  const deadline = performance.now() + ms;
  while (isAlive(process)) {
    if (performance.now() > deadline) return false;
    await delay(POLL_MS);
  }
  return true;
}

/**
 * Ends a child that was started with `detached` and whose 'close' is still to come: SIGTERM to its process group, and
 * `kill` when it has not closed after `graceMs`.
 * @param kill by default SIGKILL to the group
 */
export function endChild(
  child: ChildProcess,
  kill: (pid: number) => void = (pid) => void sendSignal(-pid, 'SIGKILL'),
  graceMs = GRACE_MS,
): void {
  const { pid } = child;
  if (pid === undefined) return;
  sendSignal(-pid, 'SIGTERM');
  const timer = setTimeout(() => kill(pid), graceMs);
  child.once('close', () => clearTimeout(timer));
}

export interface RunOptions {
  /** After this many milliseconds the program and all that it started are ended. */
  timeoutMs: number;
  /** Ends the program. */
  signal?: AbortSignal;
  env?: NodeJS.ProcessEnv;
  /** Bytes of stdout and of stderr that are kept, the last ones. Default: 64 KiB. */
  outputMaxBytes?: number;
  /** As for `endChild`. */
  kill?: (pid: number) => void;
}

export interface RunResult {
  /** null = ended by a signal. */
  code: number | null;
  stdout: string;
  stderr: string;
}

/**
 * Runs a program to its end, in a process group of its own. Whatever its exit code is, it resolves.
 * @throws Error when it cannot be started or takes too long; the reason of the signal
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  { timeoutMs, signal, env, kill, outputMaxBytes = OUTPUT_MAX_BYTES }: RunOptions,
): Promise<RunResult> {
  signal?.throwIfAborted();
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    ...(env === undefined ? {} : { env }),
  });
  const [stdout, stderr] = [new Tail(outputMaxBytes), new Tail(outputMaxBytes)];
  child.stdout.on('data', (chunk: Buffer) => stdout.add(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.add(chunk));
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    endChild(child, kill);
  }, timeoutMs);
  const onAbort = (): void => endChild(child, kill);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    signal?.throwIfAborted();
    if (isLate) throw new Error(`${program} did not end within ${timeoutMs / 1000} s`);
    return { code, stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

/** The last bytes of a stream. */
class Tail {
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    // Not for every chunk, so that a byte is copied a few times at most.
    if (this.#bytes > 2 * this.#maxBytes) this.#join();
  }

  text(): string {
    this.#join();
    return Buffer.concat(this.#chunks).toString();
  }

  #join(): void {
    const last = Buffer.concat(this.#chunks).subarray(-this.#maxBytes);
    this.#chunks = [last];
    this.#bytes = last.length;
  }
}
