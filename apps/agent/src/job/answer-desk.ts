import { ORACLE_MAX_BYTES } from '@peerlab/contracts';
import { adviceOf } from '../machine/errors.js';
import type { DeviceMemory, Backpressure } from '../machine/protocols.js';

/**
 * What one test may ask for: the farm's suites read at most three pages in a test. A suite that asks more is answered
 * with an error.
 */
export const ORACLE_READS_PER_TEST = 10_000;
export const ORACLE_BYTES_PER_TEST = 16 * 1024 * 1024;
/** What one test may ask beside that: the farm's suites meet their peers less than a hundred times in a test. */
export const QUESTIONS_PER_TEST = 10_000;
/** Questions that wait before the suite's output is held back; a well-behaved suite waits for each answer. */
export const QUEUE_HOLD = 16;
/** Longest reason of an error, in characters: a suite reads it as one line. */
const REASON_MAX = 300;

/** A read, another question, or a row of refused ones. */
type Question =
  | { kind: 'read'; offset: number; lengthBytes: number }
  | { kind: 'other'; answer: () => Promise<string> }
  | { kind: 'refused'; why: string; count: number };

/**
 * Answers a suite's questions about the device's memory and to its peers: one at a time, in order, no faster than the
 * machine takes the answers. While too many wait, `wait` holds the suite's output back.
 */
export class AnswerDesk implements Backpressure {
  readonly #queue: Question[] = [];
  #write: ((line: string) => Promise<void>) | null = null;
  #answering = false;
  #closed = false;
  #reads = 0;
  #bytes = 0;
  #questions = 0;
  #held: { until: Promise<void>; release: () => void } | null = null;

  readonly #memory: DeviceMemory | null;
  /** Told of every question beyond the limits of a test. */
  readonly #onRefused: (what: string) => void;

  constructor(memory: DeviceMemory | null, onRefused: (what: string) => void) {
    this.#memory = memory;
    this.#onRefused = onRefused;
  }

  /** From now on answers have somewhere to go. `write` never rejects. */
  open(write: (line: string) => Promise<void>): void {
    this.#write = write;
    this.#answerNext();
  }

  /** A test was announced: its limits are counted from zero. */
  beginTest(): void {
    this.#reads = 0;
    this.#bytes = 0;
    this.#questions = 0;
  }

  /** Asks about the device's memory. */
  ask(offset: number, lengthBytes: number): void {
    if (this.#closed) return;
    this.#reads += 1;
    this.#bytes += lengthBytes;
    if (lengthBytes > ORACLE_MAX_BYTES || this.#reads > ORACLE_READS_PER_TEST || this.#bytes > ORACLE_BYTES_PER_TEST) {
      this.#refuse(
        'oracle reads',
        `one test may read ${ORACLE_READS_PER_TEST} times and ${ORACLE_BYTES_PER_TEST} bytes`,
      );
    } else {
      this.#queue.push({ kind: 'read', offset, lengthBytes });
    }
    this.#answerNext();
  }

  /** Asks something else. `answer` resolves to one line; what it throws is a bug. */
  askOther(what: string, answer: () => Promise<string>): void {
    if (this.#closed) return;
    this.#questions += 1;
    if (this.#questions > QUESTIONS_PER_TEST) this.#refuse(what, `one test may ask ${QUESTIONS_PER_TEST} times`);
    else this.#queue.push({ kind: 'other', answer });
    this.#answerNext();
  }

  #refuse(what: string, why: string): void {
    this.#onRefused(what);
    const last = this.#queue.at(-1);
    if (last?.kind === 'refused' && last.why === why) last.count += 1;
    else this.#queue.push({ kind: 'refused', why, count: 1 });
  }

  wait(): Promise<void> | null {
    if (this.#held !== null) return this.#held.until;
    if (this.#closed || this.#queue.length < QUEUE_HOLD) return null;
    let release: () => void = () => undefined;
    const until = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#held = { until, release };
    return until;
  }

  /** The suite is over: nothing more is answered. */
  close(): void {
    this.#closed = true;
    this.#queue.length = 0;
    this.#releaseProducers();
  }

  #releaseProducers(): void {
    this.#held?.release();
    this.#held = null;
  }

  #answerNext(): void {
    if (this.#answering || this.#write === null) return;
    void this.#answerAll(this.#write);
  }

  async #answerAll(write: (line: string) => Promise<void>): Promise<void> {
    this.#answering = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      if (this.#queue.length < QUEUE_HOLD / 2) this.#releaseProducers();
      if (next.kind === 'read') {
        await write(await this.#read(next.offset, next.lengthBytes));
        continue;
      }
      if (next.kind === 'other') {
        await write(await next.answer());
        continue;
      }
      for (; next.count > 0 && !this.#closed; next.count -= 1) await write(`error ${next.why}`);
    }
    // Before anything can be asked: a later question must see that no answer is under way, and start one.
    this.#answering = false;
    this.#releaseProducers();
  }

  async #read(offset: number, lengthBytes: number): Promise<string> {
    try {
      const bytes = await this.#memory?.read(offset, lengthBytes);
      if (bytes === undefined) return 'error this machine has no oracle';
      return `${bytes.length} ${bytes.toString('hex')}`;
    } catch (error) {
      return `error ${adviceOf(error).replaceAll('\n', ' ').slice(0, REASON_MAX)}`;
    }
  }
}

/** Held back while one of the two is. */
export function allBackpressure(a: Backpressure, b: Backpressure): Backpressure {
  return {
    wait: () => {
      const waits = [a.wait(), b.wait()].filter((wait) => wait !== null);
      return waits.length === 0 ? null : Promise.all(waits).then(() => undefined);
    },
  };
}
