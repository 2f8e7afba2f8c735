import type { LogLine, LogPage, LogStream } from '@peerlab/contracts';
import { countText } from '../ui/numbers.js';
import { SCAN_LINES, type LogStore } from './log-store.js';

/** Lines of all streams together that are merged: all of them are held, since their order is known only then. */
const MERGED_MAX = 200_000;

/** A stream that is merged with others. */
export interface Source {
  stream: LogStream;
  /** Whose stream, where those of several participants are shown. */
  role?: string;
  /** Added to the times of its lines, in milliseconds: its agent has another clock. */
  offsetMs?: number;
}

export type FetchStream = (source: Source, from: number, limit: number) => Promise<LogPage>;

/** Streams of an attempt in the order of time. */
export interface MergedStore extends LogStore {
  readonly sources: readonly Source[];
  /** Number of a stream's lines that are held. */
  heldOf: (source: Source) => number;
  isComplete: (source: Source) => boolean;
  /** Takes lines pushed by the live channel. */
  append: (source: Source, lines: readonly LogLine[]) => void;
}

interface Entry {
  source: Source;
  line: LogLine;
}

/** Streams of an attempt merged by the time of their lines; lines of one time stand in the order of `sources`. */
export function createMergedStore(
  sources: readonly Source[],
  fetchLines: FetchStream,
  maxLines = MERGED_MAX,
): MergedStore {
  const parts = new Map(sources.map((source) => [source, { next: 0, total: 0, complete: false, removedAt: '' }]));
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
  const add = (source: Source, lines: readonly LogLine[]): void => {
    const part = parts.get(source);
    if (part === undefined) return;
    const fresh = lines.filter(({ seq }) => seq >= part.next);
    if (fresh.length === 0) return;
    part.next = (fresh.at(-1)?.seq ?? 0) + 1;
    part.total = Math.max(part.total, part.next);
    // The sort is stable and quick on what is sorted already.
    const { offsetMs = 0 } = source;
    const timed = fresh.map((line) => (offsetMs === 0 ? line : { ...line, at: Math.round(line.at + offsetMs) }));
    entries = [...entries, ...timed.map((line) => ({ source, line }))];
    const place = (each: Entry): number => sources.indexOf(each.source);
    entries.sort((a, b) => a.line.at - b.line.at || place(a) - place(b) || a.line.seq - b.line.seq);
  };
  const fetchPage = async (source: Source, from: number, limit: number): Promise<void> => {
    const page = await fetchLines(source, from, limit);
    const part = parts.get(source);
    if (part === undefined) return;
    add(source, page.lines);
    part.total = Math.max(part.total, page.total);
    // What was asked for and did not come is lost.
    part.next = Math.max(part.next, Math.min(from + limit, page.total));
    part.complete = page.complete;
    part.removedAt = page.removedAt ?? '';
  };
  const load = async (): Promise<void> => {
    // Totals first: they say whether there are too many.
    await Promise.all([...parts].map(([source, { next }]) => fetchPage(source, next, 1)));
    const sum = [...parts.values()].reduce((all, { total }) => all + total, 0);
    if (sum > maxLines) {
      entries = [];
      refusal = `${countText(sum)} lines are too many to merge (at most ${countText(maxLines)}): choose one stream.`;
      return;
    }
    refusal = null;
    for (const [source, part] of parts) {
      while (part.next < part.total) {
        await fetchPage(source, part.next, SCAN_LINES);
      }
    }
    isRead = true;
  };

  return {
    stream: 'all',
    sources,
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
      const { stream, role } = entry?.source ?? sources[0] ?? { stream: 'agent' as const };
      return { stream, seq: entry?.line.seq ?? 0, ...(role === undefined ? {} : { role }) };
    },
    heldCount: () => entries.length,
    heldOf: (source) => parts.get(source)?.next ?? 0,
    isComplete: (source) => parts.get(source)?.complete ?? false,
    ensure: () => undefined,
    append(source, lines) {
      if (refusal !== null) return;
      add(source, lines);
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
        if (entry !== undefined && satisfies(entry.line.text, entry.source.stream)) return index;
      }
      return null;
    },
  };
}
