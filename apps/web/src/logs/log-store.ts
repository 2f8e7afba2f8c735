import type { LogLine, LogPage, LogStream } from '@peerlab/contracts';
import { CHUNK_LINES, chunkStart } from './chunks.js';

/** Lines fetched at once while searching: the maximum of the API. */
export const SCAN_LINES = 10_000;

/** A line, `gap` = stored without it (lost before it reached the controller), or undefined = not fetched yet. */
export type HeldLine = LogLine | 'gap' | undefined;

export type FetchLines = (from: number, limit: number) => Promise<LogPage>;

/** Where a line stands: its stream and its number there, from 0, and whose stream it is, where lines of several are shown. */
export interface LineOrigin {
  stream: LogStream;
  seq: number;
  role?: string;
}

/** The fetched lines of a log, by number from 0. */
export interface LogStore {
  /** Whose lines: of one stream, or of several by time. */
  readonly stream: LogStream | 'all';
  origin: (index: number) => LineOrigin;
  /** Why there are no lines although the log has some; null when there is no such reason. */
  refusal: () => string | null;
  subscribe: (listener: () => void) => () => void;
  /** Increases with every change of the store. */
  version: () => number;
  total: () => number;
  complete: () => boolean;
  /** When retention removed the lines; null while they are stored. */
  removedAt: () => string | null;
  error: () => Error | null;
  line: (seq: number) => HeldLine;
  /** Number of lines that are kept. */
  heldCount: () => number;
  /** Fetches the missing lines of a range, both ends included, in whole chunks. */
  ensure: (first: number, last: number) => void;
  /** Lines of a range for a search, held or fetched, without keeping those that were fetched. Those that are lost are left out. */
  read: (from: number, limit: number) => Promise<ReadonlyMap<number, LogLine>>;
  /** Fetches the total and the end mark again, e.g. after a reconnect. */
  refresh: () => void;
  /**
   * First line from `start` in a direction whose text satisfies, fetching what is missing on the way;
   * null when there is none or `signal` fired.
   */
  find: (
    start: number,
    direction: 1 | -1,
    satisfies: (text: string, stream: LogStream) => boolean,
    signal: AbortSignal,
  ) => Promise<number | null>;
}

/** The lines of one stream. */
export interface StreamStore extends LogStore {
  readonly stream: LogStream;
  /** Takes lines pushed by the live channel. */
  append: (lines: readonly LogLine[]) => void;
}

/** @param start the line shown first, from 0: its chunk is fetched to learn the number of lines */
export function createLogStore(stream: LogStream, fetchLines: FetchLines, start = 0): StreamStore {
  const lines = new Map<number, LogLine>();
  /** By chunk: the line below which everything was fetched; a line that is missing there is a gap. */
  const asked = new Map<number, number>();
  const fetching = new Set<number>();
  const listeners = new Set<() => void>();
  let version = 0;
  let total = 0;
  let complete = false;
  let removedAt: string | null = null;
  let error: Error | null = null;

  const changed = (): void => {
    version += 1;
    for (const listener of listeners) listener();
  };
  const chunkOf = (seq: number): number => Math.floor(seq / CHUNK_LINES);
  const isAsked = (seq: number): boolean => seq < (asked.get(chunkOf(seq)) ?? 0);
  const load = async (from: number, limit: number): Promise<boolean> => {
    try {
      const page = await fetchLines(from, limit);
      for (const line of page.lines) lines.set(line.seq, line);
      total = Math.max(total, page.total);
      complete = page.complete;
      removedAt = page.removedAt;
      error = null;
      const end = Math.min(from + limit, page.total);
      for (let chunk = Math.ceil(from / CHUNK_LINES); chunk * CHUNK_LINES < end; chunk += 1) {
        asked.set(chunk, Math.max(asked.get(chunk) ?? 0, Math.min(end, (chunk + 1) * CHUNK_LINES)));
      }
      return true;
    } catch (cause) {
      error = cause instanceof Error ? cause : new Error(String(cause));
      return false;
    } finally {
      changed();
    }
  };
  const isHeld = (chunk: number): boolean => {
    const end = Math.min(total, (chunk + 1) * CHUNK_LINES);
    for (let seq = Math.max(chunk * CHUNK_LINES, asked.get(chunk) ?? 0); seq < end; seq += 1) {
      if (!lines.has(seq)) return false;
    }
    return true;
  };

  return {
    stream,
    origin: (seq) => ({ stream, seq }),
    refusal: () => null,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    version: () => version,
    total: () => total,
    complete: () => complete,
    removedAt: () => removedAt,
    error: () => error,
    line: (seq) => lines.get(seq) ?? (isAsked(seq) ? 'gap' : undefined),
    heldCount: () => lines.size,
    ensure(first, last) {
      // After a failure, only the retry button or a reconnect fetches again.
      if (error !== null) return;
      for (let chunk = chunkOf(first); chunk * CHUNK_LINES <= last && chunk * CHUNK_LINES < total; chunk += 1) {
        if (fetching.has(chunk) || isHeld(chunk)) continue;
        fetching.add(chunk);
        void load(chunk * CHUNK_LINES, CHUNK_LINES).finally(() => fetching.delete(chunk));
      }
    },
    append(pushed) {
      for (const line of pushed) {
        lines.set(line.seq, line);
        total = Math.max(total, line.seq + 1);
      }
      changed();
    },
    async read(from, limit) {
      const end = Math.min(total, from + limit);
      const held = new Map<number, LogLine>();
      for (let seq = from; seq < end; seq += 1) {
        const line = lines.get(seq);
        if (line !== undefined) held.set(seq, line);
        else if (!isAsked(seq)) return new Map((await fetchLines(from, limit)).lines.map((each) => [each.seq, each]));
      }
      return held;
    },
    refresh: () => void load(total > 0 ? total - 1 : chunkStart(start), CHUNK_LINES),
    async find(start, direction, satisfies, signal) {
      let seq = start;
      while (seq >= 0 && seq < total && !signal.aborted) {
        const held = lines.get(seq);
        if (held === undefined && !isAsked(seq)) {
          const from = direction === 1 ? seq : Math.max(0, seq - SCAN_LINES + 1);
          const aligned = Math.floor(from / CHUNK_LINES) * CHUNK_LINES;
          if (!(await load(aligned, SCAN_LINES))) return null;
          continue;
        }
        if (held !== undefined && satisfies(held.text, stream)) return seq;
        seq += direction;
      }
      return null;
    },
  };
}
