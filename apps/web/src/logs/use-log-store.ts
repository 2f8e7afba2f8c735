import { useQueryClient } from '@tanstack/react-query';
import type { LogPage, LogStream } from '@peerlab/contracts';
import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import { useLiveChannel, useLiveState } from '../api/live-context.js';
import { logLinesQuery } from '../api/attempts.js';
import { exactText } from '../ui/time.js';
import { createLogStore, type LogStore, type StreamStore } from './log-store.js';
import { createMergedStore, type MergedStore, type Source } from './merged-store.js';

/** Interval at which the end of a log is looked for after its attempt ended, in milliseconds. */
const LAST_LINES_MS = 4000;

/**
 * The store of a stream, kept up to date by the live channel until the stream is complete.
 * @param start the line shown first, from 0; a later value changes nothing
 * @param hasEnded whether the attempt has ended, after which no message says that the stream is complete
 * @param role whose stream; undefined = that of the first participant
 */
export function useLogStore(
  attemptId: string,
  stream: LogStream,
  start = 0,
  hasEnded = false,
  role?: string,
): StreamStore {
  const channel = useLiveChannel();
  const [first] = useState(start);
  const fetchLines = useFetchLines(attemptId);
  const store = useMemo(
    () => createLogStore(stream, (from, limit) => fetchLines(sourceOf(stream, role), from, limit), first),
    [stream, role, first, fetchLines],
  );
  // Before the number of lines is known, the live channel would send all of them from the first.
  const isKnown = useSyncExternalStore(store.subscribe, () => store.version() > 0);
  const isComplete = useSyncExternalStore(store.subscribe, store.complete);
  useEffect(() => {
    if (channel === null || !isKnown || isComplete) return undefined;
    return channel.tail({ attemptId, role, stream, nextSeq: store.total, onLines: store.append });
  }, [channel, attemptId, role, stream, store, isKnown, isComplete]);
  useFresh(store, hasEnded && !isComplete);
  return store;
}

const sourceOf = (stream: LogStream, role: string | undefined): Source =>
  role === undefined ? { stream } : { stream, role };

/** The same for several streams, merged by time. The sources must keep their identity. */
export function useMergedStore(attemptId: string, sources: readonly Source[], hasEnded: boolean): MergedStore {
  const channel = useLiveChannel();
  const fetchLines = useFetchLines(attemptId);
  const store = useMemo(() => createMergedStore(sources, fetchLines), [sources, fetchLines]);
  const isKnown = useSyncExternalStore(store.subscribe, () => store.version() > 0);
  const isComplete = useSyncExternalStore(store.subscribe, store.complete);
  useEffect(() => {
    if (channel === null || !isKnown || isComplete) return undefined;
    const stops = sources
      .filter((source) => !store.isComplete(source))
      .map((source) =>
        channel.tail({
          attemptId,
          role: source.role,
          stream: source.stream,
          nextSeq: () => store.heldOf(source),
          onLines: (lines) => store.append(source, lines),
        }),
      );
    return () => {
      for (const stop of stops) stop();
    };
  }, [channel, attemptId, sources, store, isKnown, isComplete]);
  useFresh(store, hasEnded && !isComplete);
  return store;
}

function useFetchLines(attemptId: string): (source: Source, from: number, limit: number) => Promise<LogPage> {
  const queries = useQueryClient();
  return useCallback(
    async ({ stream, role }, from, limit) => {
      // The router may have fetched the first lines while the code of the page was loading.
      const query = logLinesQuery(attemptId, stream, from, limit, role);
      const page = await queries.fetchQuery(query);
      queries.removeQueries({ queryKey: query.queryKey, exact: true });
      return page;
    },
    [attemptId, queries],
  );
}

/** Fetches the number of lines at first, after every reconnect, and while only the end of the log is missing. */
function useFresh(store: LogStore, isEnding: boolean): void {
  const state = useLiveState();
  useEffect(() => {
    if (state !== 'paused') store.refresh();
  }, [state, store]);
  useEffect(() => {
    if (!isEnding) return undefined;
    const timer = setInterval(store.refresh, LAST_LINES_MS);
    return () => clearInterval(timer);
  }, [store, isEnding]);
}

/** Text shown in place of the lines while there are none. */
export function emptyText(store: LogStore): string {
  const refusal = store.refusal();
  if (refusal !== null) return refusal;
  const what = store.stream === 'all' ? 'log' : `${store.stream} stream`;
  const removedAt = store.removedAt();
  if (removedAt !== null) {
    return `The lines of the ${what} were removed ${exactText(Date.parse(removedAt))} by retention; results and measurements remain.`;
  }
  if (store.stream === 'all' && store.version() === 0) return 'Reading all streams…';
  if (store.complete()) return `The ${what} of this attempt is empty.`;
  return 'No lines yet; they appear here as they arrive.';
}
