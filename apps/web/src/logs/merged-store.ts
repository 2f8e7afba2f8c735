import type { LogLine, LogPage, LogStream } from '@peerlab/contracts';
import { countText } from '../ui/numbers.js';
import { SCAN_LINES, type LogStore } from './log-store.js';

/** Lines of all streams together that are merged: all of them are held, since their order is known only then. */
const MERGED_MAX = 200_000;

export type FetchStream = (stream: LogStream, from: number, limit: number) => Promise<LogPage>;

/** Streams of an attempt in the order of time. */
export interface MergedStore extends LogStore {
  readonly streams: readonly LogStream[];
  /** Number of a stream's lines that are held. */
  heldOf: (stream: LogStream) => number;
  isComplete: (stream: LogStream) => boolean;
  /** Takes lines pushed by the live channel. */
  append: (stream: LogStream, lines: readonly LogLine[]) => void;
}

interface Entry {
  stream: LogStream;
  line: LogLine;
}

/** Streams of an attempt merged by the time of their lines; lines of one time stand in the order of `streams`. */
export function createMergedStore(
  streams: readonly LogStream[],
  fetchLines: FetchStream,
  maxLines = MERGED_MAX,
): MergedStore {
  const parts = new Map(streams.map((stream) => [stream, { next: 0, total: 0, complete: false, removedAt: '' }]));
  const listeners = new Set<() => void>();
  let entries: Entry[] = [];
  let version = 0;
  let error: Error | null = null;
  let refusal: string | null = null;
  let loading = false;
  /** Before all streams were read once, a line has no place that would stay. */
  let isRead = false;

  const changed = (): void => {
    version += 1;
    for (const listener of listeners) listener();
  };
  const add = (stream: LogStream, lines: readonly LogLine[]): void => {
    const part = parts.get(stream);
    if (part === undefined) return;
    const fresh = lines.filter(({ seq }) => seq >= part.next);
    if (fresh.length === 0) return;
    part.next = (fresh.at(-1)?.seq ?? 0) + 1;
    part.total = Math.max(part.total, part.next);
    // The sort is stable and quick on what is sorted already.
    entries = [...entries, ...fresh.map((line) => ({ stream, line }))];
    const place = (each: Entry): number => streams.indexOf(each.stream);
    entries.sort((a, b) => a.line.at - b.line.at || place(a) - place(b) || a.line.seq - b.line.seq);
  };
  const fetchPage = async (stream: LogStream, from: number, limit: number): Promise<void> => {
    const page = await fetchLines(stream, from, limit);
    const part = parts.get(stream);
    if (part === undefined) return;
    add(stream, page.lines);
    part.total = Math.max(part.total, page.total);
    // What was asked for and did not come is lost.
    part.next = Math.max(part.next, Math.min(from + limit, page.total));
    part.complete = page.complete;
    part.removedAt = page.removedAt ?? '';
  };
  const load = async (): Promise<void> => {
    // Totals first: they say whether there are too many.
    await Promise.all([...parts].map(([stream, { next }]) => fetchPage(stream, next, 1)));
    const sum = [...parts.values()].reduce((all, { total }) => all + total, 0);
    if (sum > maxLines) {
      entries = [];
      refusal = `${countText(sum)} lines are too many to merge (at most ${countText(maxLines)}): choose one stream.`;
      return;
    }
    refusal = null;
    for (const [stream, part] of parts) {
      while (part.next < part.total) {
        await fetchPage(stream, part.next, SCAN_LINES);
      }
    }
    isRead = true;
  };

  return {
    stream: 'all',
    streams,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    version: () => version,
    total: () => (isRead ? entries.length : 0),
    complete: () => [...parts.values()].every(({ complete }) => complete),
    removedAt: () =>
      entries.length > 0 ? null : ([...parts.values()].find((part) => part.removedAt)?.removedAt ?? null),
    error: () => error,
    refusal: () => refusal,
    line: (index) => entries[index]?.line,
    origin: (index) => {
      const entry = entries[index];
      return { stream: entry?.stream ?? streams[0] ?? 'agent', seq: entry?.line.seq ?? 0 };
    },
    heldCount: () => entries.length,
    heldOf: (stream) => parts.get(stream)?.next ?? 0,
    isComplete: (stream) => parts.get(stream)?.complete ?? false,
    ensure: () => undefined,
    append(stream, lines) {
      if (refusal !== null) return;
      add(stream, lines);
      changed();
    },
    refresh() {
      if (loading) return;
      loading = true;
      load()
        .then(() => (error = null))
        .catch((cause: unknown) => (error = cause instanceof Error ? cause : new Error(String(cause))))
        .finally(() => {
          loading = false;
          changed();
        });
    },
    read: async (from, limit) =>
      new Map(entries.slice(from, from + limit).map(({ line }, place) => [from + place, line])),
    async find(start, direction, satisfies) {
      for (let index = start; index >= 0 && index < entries.length; index += direction) {
        const entry = entries[index];
        if (entry !== undefined && satisfies(entry.line.text, entry.stream)) return index;
      }
      return null;
    },
  };
}
