import { mkdirSync } from 'node:fs';
import { open, type FileHandle, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { boundLog, log } from '@peerlab/runtime';
import { messageOf } from '../../error-message.js';
import { pause } from '../../timing.js';
import type { ConsoleSource } from './source.js';

export interface RecorderSettings {
  machine: string;
  source: ConsoleSource;
  /** The record; attempts follow it. */
  file: string;
  /** Most that is kept of it, in bytes. */
  maxBytes?: number;
  /** Its oldest text is cut at multiples of this. */
  cutBytes?: number;
  /** First and longest pause before the next connection, in milliseconds. */
  pauseMs?: number;
  longestPauseMs?: number;
}

const MAX_BYTES = 64 * 1024 * 1024;
const PAUSE_MS = 1_000;
/** A session that another program holds must not be asked for every second. */
const LONGEST_PAUSE_MS = 30_000;
/** How often the length of the record is looked at, in bytes that were written. */
const LOOK_BYTES = 1024 * 1024;
/** Bytes that wait for the disk before the source is read slower. */
const WAITING_BYTES = 1024 * 1024;

/**
 * Records a machine's console into a file for the agent's whole life, over any number of connections. While there is
 * none, the record says so: a line with from, to and reason. It does not take the console from others: when its source
 * refuses, it asks again later.
 */
export class ConsoleRecorder {
  readonly #settings: Required<Omit<RecorderSettings, 'cutBytes'>> & Pick<RecorderSettings, 'cutBytes'>;
  #problem: string | null = 'its recorder has not connected yet';
  #diskProblem: string | null = null;
  #handle: FileHandle | null = null;
  #writing: Promise<void> = Promise.resolve();
  #waitingBytes = 0;
  #dropped = 0;
  #sinceLook = 0;
  #atLineStart = true;

  constructor(settings: RecorderSettings) {
    this.#settings = {
      maxBytes: MAX_BYTES,
      pauseMs: PAUSE_MS,
      longestPauseMs: LONGEST_PAUSE_MS,
      ...settings,
    };
  }

  /** Why the console is not recorded now; null when it is. */
  get problem(): string | null {
    return this.#diskProblem ?? this.#problem;
  }

  /** Records until `signal` is aborted. Rejects when the record cannot be written. */
  async run(signal: AbortSignal): Promise<void> {
    const { file, source, machine, pauseMs, longestPauseMs } = this.#settings;
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    // What was printed while no agent ran is missing from the record.
    let goneSince: Date | null = await stat(file).then(
      ({ mtime }) => mtime,
      () => null,
    );
    this.#handle = await open(file, 'a', 0o600);
    let reason = 'the agent did not run';
    let wait = pauseMs;
    try {
      while (!signal.aborted) {
        const onOpen = (): void => {
          if (goneSince !== null)
            this.#note(`no console from ${goneSince.toISOString()} to ${new Date().toISOString()}: ${reason}`);
          if (this.#problem !== null) log.info({ machine, source: source.name }, 'console-connected');
          goneSince = null;
          this.#problem = null;
          wait = pauseMs;
        };
        const why = await source.read({ onOpen, onBytes: (chunk) => this.#write(chunk) }, signal);
        await this.#writing;
        if (signal.aborted) return;
        if (goneSince === null) {
          goneSince = new Date();
          reason = why;
        }
        if (this.#problem === null || this.#problem !== why)
          log.warn({ machine, source: source.name, why }, 'console-lost');
        this.#problem = why;
        await pause(wait, signal).catch(() => undefined);
        wait = Math.min(2 * wait, longestPauseMs);
      }
    } finally {
      await this.#writing.catch(() => undefined);
      await this.#handle.close();
      this.#handle = null;
    }
  }

  /** A line of the recorder's own, marked as such. */
  #note(text: string): void {
    void this.#write(Buffer.from(`${this.#atLineStart ? '' : '\n'}[peerlab: ${text}]\n`));
  }

  /** A promise = more than enough waits for the disk; it resolves when that is written. */
  #write(chunk: Buffer): Promise<void> | null {
    if (chunk.length === 0) return null;
    if (this.#dropped > 0) {
      const dropped = this.#dropped;
      this.#dropped = 0;
      this.#note(`${dropped} bytes left out: the record could not be written`);
    }
    this.#atLineStart = chunk.at(-1) === 0x0a;
    this.#waitingBytes += chunk.length;
    this.#writing = this.#writing
      .then(() => this.#store(chunk))
      .catch((error: unknown) => {
        // A full disk is not the end of the record; it is told of where it begins again.
        this.#dropped += chunk.length;
        this.#diskProblem = `its record cannot be written: ${messageOf(error)}`;
      });
    return this.#waitingBytes > WAITING_BYTES ? this.#writing : null;
  }

  async #store(chunk: Buffer): Promise<void> {
    try {
      await this.#handle?.writeFile(chunk);
      this.#diskProblem = null;
      this.#sinceLook += chunk.length;
      if (this.#sinceLook < LOOK_BYTES) return;
      this.#sinceLook = 0;
      const { file, maxBytes, cutBytes } = this.#settings;
      await boundLog(file, maxBytes, cutBytes);
    } finally {
      this.#waitingBytes -= chunk.length;
    }
  }
}
