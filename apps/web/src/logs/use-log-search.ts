import type { LogLine } from '@peerlab/contracts';
import { useEffect, useEffectEvent, useMemo, useState, useSyncExternalStore } from 'react';
import { plainLine } from './ansi.js';
import { chunkStart } from './chunks.js';
import type { Hits } from './hits.js';
import { SCAN_LINES, type LogStore } from './log-store.js';
import { plainFinder, type LogQuery, type Ranges } from './query.js';
import { Scanner } from './scanner.js';

/** Pause after a keystroke before the log is searched, in milliseconds. */
const TYPING_MS = 250;
/** Pause before lines that were added are searched, too, in milliseconds. */
const ADDED_MS = 500;
/** Matching lines that are kept with their text. */
const KEPT_LINES = 20_000;

export interface SearchState {
  hits: Hits;
  /** How much of the log was searched, 0 to 1. */
  share: number;
  /** Why the search gave up; null while it goes on or has ended. */
  problem: string | null;
  /** Texts of matching lines, as far as they are kept. */
  lines: ReadonlyMap<number, LogLine>;
}

const NOTHING: SearchState = { hits: [], share: 0, problem: null, lines: new Map() };

/**
 * All lines of a log that match, counted while they are found: from where the reader is to the end, then from the
 * beginning. Lines that are added later are searched when they come. The search runs in a thread of its own.
 * @param start the line from which to search, when a query changed
 * @param onFound is told of every state of the search
 */
export function useLogSearch(
  store: LogStore,
  query: LogQuery,
  start: () => number,
  onFound: (state: SearchState) => void,
): SearchState {
  const { text, isRegex, isCaseSensitive } = query;
  const key = JSON.stringify(query);
  const [told, setTold] = useState({ key, state: NOTHING });
  const startLine = useEffectEvent(start);
  const tell = useEffectEvent((of: string, state: SearchState) => {
    setTold({ key: of, state });
    if (of === key) onFound(state);
  });
  const isReady = useSyncExternalStore(store.subscribe, () => store.total() > 0);
  useEffect(() => {
    if (text === '' || !isReady) return undefined;
    const wanted = { text, isRegex, isCaseSensitive };
    const search = new Search(store, wanted, (state) => tell(JSON.stringify(wanted), state));
    const timer = setTimeout(() => search.run(startLine()), TYPING_MS);
    const stop = store.subscribe(search.noteAdded);
    return () => {
      clearTimeout(timer);
      stop();
      search.close();
    };
  }, [store, text, isRegex, isCaseSensitive, isReady]);
  return told.key === key ? told.state : NOTHING;
}

/** One search, until it is closed. */
class Search {
  readonly #store: LogStore;
  readonly #query: LogQuery;
  readonly #tell: (state: SearchState) => void;
  readonly #scanner = new Scanner();
  /** Found from the start to the end, and before the start. */
  readonly #after: number[] = [];
  readonly #before: number[] = [];
  readonly #lines = new Map<number, LogLine>();
  #searched = 0;
  /** Below it and from the start on, all was searched. */
  #end = 0;
  #isRunning = true;
  #isClosed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(store: LogStore, query: LogQuery, tell: (state: SearchState) => void) {
    this.#store = store;
    this.#query = query;
    this.#tell = tell;
  }

  /** Searches everything, beginning with the chunk of a line. */
  readonly run = (line: number): void => {
    const start = chunkStart(Math.max(0, line));
    this.#end = start;
    this.#during(async () => {
      await this.#toEnd();
      for (let from = 0; from < start; from += SCAN_LINES) {
        await this.#page(from, Math.min(SCAN_LINES, start - from), this.#before);
      }
    });
  };

  /** Searches what was added meanwhile. */
  readonly noteAdded = (): void => {
    if (this.#isRunning || this.#store.total() <= this.#end || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#during(() => this.#toEnd());
    }, ADDED_MS);
  };

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#scanner.close();
  }

  #during(work: () => Promise<void>): void {
    this.#isRunning = true;
    work()
      .then(() => this.#report(null))
      .catch((error: unknown) => this.#report(error instanceof Error ? error.message : String(error)))
      .finally(() => (this.#isRunning = false));
  }

  async #toEnd(): Promise<void> {
    while (this.#end < this.#store.total()) {
      const limit = Math.min(SCAN_LINES, this.#store.total() - this.#end);
      await this.#page(this.#end, limit, this.#after);
      this.#end += limit;
    }
  }

  async #page(from: number, limit: number, into: number[]): Promise<void> {
    if (this.#isClosed) return;
    const lines = [...(await this.#store.read(from, limit))];
    if (this.#isClosed) return;
    const { hits } = await this.#scanner.scan(
      this.#query,
      lines.map(([, { text }]) => plainLine(text)),
    );
    for (const hit of hits) {
      const found = lines[hit];
      if (found === undefined) continue;
      into.push(found[0]);
      if (this.#lines.size < KEPT_LINES) this.#lines.set(...found);
    }
    this.#searched += limit;
    this.#report(null);
  }

  #report(problem: string | null): void {
    if (this.#isClosed) return;
    this.#tell({
      hits: [...this.#before, ...this.#after],
      share: Math.min(1, this.#searched / Math.max(1, this.#store.total())),
      problem,
      lines: this.#lines,
    });
  }
}

/** Where lines in view match, by line. Those of a regular expression come from a thread of their own, a moment later. */
export function useRanges(query: LogQuery, view: ReadonlyMap<number, string>): ReadonlyMap<number, Ranges> {
  const { text, isRegex, isCaseSensitive } = query;
  const plain = useMemo(
    () => (text === '' || isRegex ? null : plainFinder({ text, isRegex, isCaseSensitive })),
    [text, isRegex, isCaseSensitive],
  );
  const key = JSON.stringify(query);
  const [scanner, setScanner] = useState<Scanner | null>(null);
  const [found, setFound] = useState<{ key: string; ranges: ReadonlyMap<number, Ranges> }>({ key, ranges: NONE });
  useEffect(() => {
    if (!isRegex || text === '') return undefined;
    const own = new Scanner();
    // Made here, not while rendering: it has to be closed, too.
    // oxlint-disable-next-line react/set-state-in-effect -- see above
    setScanner(own);
    return () => own.close();
  }, [text, isRegex]);
  useEffect(() => {
    if (scanner === null || !isRegex || text === '') return undefined;
    let isOld = false;
    const lines = [...view];
    const wanted = { text, isRegex, isCaseSensitive };
    scanner
      .scan(
        wanted,
        lines.map(([, each]) => each),
        true,
      )
      .then(({ hits, ranges }) => {
        const places = new Map(hits.map((hit, place) => [lines[hit]?.[0] ?? -1, ranges[place] ?? []]));
        if (!isOld) setFound({ key: JSON.stringify(wanted), ranges: places });
      })
      // The search of the whole log says what is wrong with the expression.
      .catch(() => undefined);
    return () => {
      isOld = true;
    };
  }, [scanner, view, text, isRegex, isCaseSensitive]);
  return useMemo(() => {
    if (plain !== null) return new Map([...view].map(([line, each]) => [line, plain(each)]));
    return found.key === key ? found.ranges : NONE;
  }, [plain, view, found, key]);
}

const NONE: ReadonlyMap<number, Ranges> = new Map();
