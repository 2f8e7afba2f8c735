import { createHash } from 'node:crypto';
import {
  CrashReader,
  plainText,
  recordLines,
  type CrashReport,
  type CrashType,
  type LogLine,
  type LogStream,
} from '@peerlab/contracts';

/** Streams in which a kernel's messages stand, the best record first. */
export const CRASH_STREAMS = ['serial', 'kernel', 'test'] as const satisfies readonly LogStream[];
export type CrashStream = (typeof CRASH_STREAMS)[number];

/** Titles of one stream that are kept; further ones are reports that keep changing their words. */
export const TITLES_MAX = 200;

/** All reports with one title in a stream. */
export interface FoundCrash {
  key: string;
  title: string;
  type: CrashType;
  severity: 'crash' | 'warning';
  /** All of them are. */
  corrupted: boolean;
  stream: CrashStream;
  /** Of the first report: sequences of its first and last line. */
  startLine: number;
  endLine: number;
  times: number;
  frames: string[];
  calls: string[];
  taint: string | null;
  /** When the first line arrived, milliseconds since 1970. */
  atMs: number;
}

/** The key of a crash: equal titles have equal keys. */
export const crashKey = (title: string): string => createHash('md5').update(title).digest('hex');

/** First message of a kernel on its console, and the agent's note in its record of the kernel's log. */
const BANNER = /(?:\bLinux version |^# kernel )([a-zA-Z0-9_][a-zA-Z0-9._+-]{0,63})/;
/** printk's time at the start of a line. A program's own output has none, whatever it quotes. */
const PRINTED = /^(?:<\d{1,3}>)?\[ {0,12}\d{1,12}\.\d{1,9}\]/;

/**
 * Reads one stream of a participant and finds the reports of the kernel under test: those of the machine's other kernels
 * are none of it. Takes time in proportion to the lines, and memory for TITLES_MAX titles.
 */
export class StreamCrashes {
  readonly #stream: CrashStream;
  readonly #release: string;
  readonly #found = new Map<string, FoundCrash>();
  /** When the lines arrived that begin reports which are still open. */
  readonly #began = new Map<number, number>();
  readonly #reader = new CrashReader((report) => this.#keep(report));
  /** Whether the kernel under test runs. */
  #isUnderTest: boolean;

  /** @param release of the kernel under test, as its banner says it */
  constructor(stream: CrashStream, release: string) {
    this.#stream = stream;
    this.#release = release;
    // Suites run on no other kernel.
    this.#isUnderTest = stream === 'test';
  }

  push({ seq, at, text, continues, gap }: LogLine): void {
    // The rest of a very long line is not looked at.
    if (continues === true || gap !== undefined) return;
    const line = plainText(text);
    if (this.#stream === 'test') {
      if (!PRINTED.test(line)) return;
    } else {
      const release = BANNER.exec(line)?.[1];
      if (release !== undefined) {
        this.#reader.end();
        this.#isUnderTest = release === this.#release;
      }
    }
    if (!this.#isUnderTest) return;
    for (const part of this.#stream === 'kernel' ? recordLines(line) : [line]) {
      const alarm = this.#reader.push(part, seq);
      if (alarm?.begins === true && !this.#began.has(seq)) this.#began.set(seq, at);
    }
  }

  /** The stream ends here. In the order of their first lines. */
  end(): FoundCrash[] {
    this.#reader.end();
    return [...this.#found.values()].toSorted((one, other) => one.startLine - other.startLine);
  }

  #keep({ title, type, severity, corrupted, startLine, endLine, frames, taint, ...report }: CrashReport): void {
    const calls = report.calls.map(({ call }) => call);
    const atMs = this.#began.get(startLine) ?? 0;
    this.#began.delete(startLine);
    const known = this.#found.get(title);
    if (known === undefined) {
      if (this.#found.size >= TITLES_MAX) return;
      const [key, stream] = [crashKey(title), this.#stream];
      const first = { startLine, endLine, frames, calls, taint, atMs };
      this.#found.set(title, { key, title, type, severity, corrupted, stream, times: 1, ...first });
      return;
    }
    known.times += 1;
    if (severity === 'crash') known.severity = severity;
    if (!known.corrupted || corrupted) return;
    // The first one that is whole stands for all.
    Object.assign(known, { corrupted, startLine, endLine, frames, calls, taint, atMs });
  }
}

/** How far apart the same message may arrive in two streams, in milliseconds. */
const SAME_MS = 10_000;

/**
 * Crashes of one participant out of its streams, which repeat each other. Of each title the stream counts that has most
 * of it; what is cut or mixed in one stream is left out where another one has a whole report of its type at that time.
 */
export function mergeStreams(streams: readonly (readonly FoundCrash[])[]): FoundCrash[] {
  const merged = new Map<string, FoundCrash>();
  const all = streams.flat();
  for (const crash of all) {
    if (crash.corrupted && all.some((other) => isWholeOf(other, crash))) continue;
    const other = merged.get(crash.key);
    const severity = [crash.severity, other?.severity].includes('crash') ? 'crash' : 'warning';
    const isBetter = other === undefined || (other.corrupted && !crash.corrupted) || crash.times > other.times;
    merged.set(crash.key, { ...(isBetter ? crash : other), severity });
  }
  return [...merged.values()];
}

const isWholeOf = (whole: FoundCrash, crash: FoundCrash): boolean =>
  !whole.corrupted &&
  whole.stream !== crash.stream &&
  whole.type === crash.type &&
  Math.abs(whole.atMs - crash.atMs) <= SAME_MS;
