import { useQueryClient } from '@tanstack/react-query';
import type { LogStream } from '@peerlab/contracts';
import { useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import { useLiveChannel, useLiveState } from '../api/live-context.js';
import { logLinesQuery } from '../api/queries.js';
import { exactText } from '../ui/time.js';
import { createLogStore, type LogStore } from './log-store.js';

/**
 * The store of a stream, kept up to date by the live channel until the stream is complete.
 * @param start the line shown first, from 0; a later value changes nothing
 */
export function useLogStore(attemptId: string, stream: LogStream, start = 0): LogStore {
  const channel = useLiveChannel();
  const state = useLiveState();
  const [first] = useState(start);
  const queries = useQueryClient();
  const store = useMemo(
    () =>
      createLogStore(
        stream,
        async (from, limit) => {
          // The router may have fetched the first lines while the code of the page was loading.
          const query = logLinesQuery(attemptId, stream, from, limit);
          const page = await queries.fetchQuery(query);
          queries.removeQueries({ queryKey: query.queryKey, exact: true });
          return page;
        },
        first,
      ),
    [attemptId, stream, first, queries],
  );
  // Before the number of lines is known, the live channel would send all of them from the first.
  const isKnown = useSyncExternalStore(store.subscribe, () => store.version() > 0);
  const isComplete = useSyncExternalStore(store.subscribe, store.complete);
  useEffect(() => {
    if (channel === null || !isKnown || isComplete) return undefined;
    return channel.tail({ attemptId, stream, nextSeq: store.total, onLines: store.append });
  }, [channel, attemptId, stream, store, isKnown, isComplete]);
  useEffect(() => {
    // At first and after every reconnect the number of lines is fetched.
    if (state !== 'paused') store.refresh();
  }, [state, store]);
  return store;
}

/** Text shown in place of the lines while there are none. */
export function emptyText(store: LogStore): string {
  const removedAt = store.removedAt();
  if (removedAt !== null) {
    return `The lines of the ${store.stream} stream were removed ${exactText(Date.parse(removedAt))} by retention; results and measurements remain.`;
  }
  if (store.complete()) return `The ${store.stream} stream of this attempt is empty.`;
  return 'No lines yet; they appear here as they arrive.';
}
