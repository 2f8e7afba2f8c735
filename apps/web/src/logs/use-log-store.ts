import { useQueryClient } from '@tanstack/react-query';
import type { LogStream } from '@peerlab/contracts';
import { useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import { useLiveChannel, useLiveState } from '../api/live-context.js';
import { logLinesQuery } from '../api/queries.js';
import { exactText } from '../ui/time.js';
import { createLogStore, type LogStore } from './log-store.js';

/**
 * The store of a stream, kept up to date by the live channel until the stream is complete. `start` = the line,
 * from 0, that is looked at first; a later one makes no other store.
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
          // The page may have asked for the first lines while its code came.
          const query = logLinesQuery(attemptId, stream, from, limit);
          const page = await queries.fetchQuery(query);
          queries.removeQueries({ queryKey: query.queryKey, exact: true });
          return page;
        },
        first,
      ),
    [attemptId, stream, first, queries],
  );
  // Before it is known how many lines there are, the live channel would begin with the first of millions.
  const isKnown = useSyncExternalStore(store.subscribe, () => store.version() > 0);
  const isComplete = useSyncExternalStore(store.subscribe, store.complete);
  useEffect(() => {
    if (channel === null || !isKnown || isComplete) return undefined;
    return channel.tail({ attemptId, stream, nextSeq: store.total, onLines: store.append });
  }, [channel, attemptId, stream, store, isKnown, isComplete]);
  useEffect(() => {
    // At first and after every reconnect: how many lines are there by now?
    if (state !== 'paused') store.refresh();
  }, [state, store]);
  return store;
}

/** What stands in place of the lines while there are none. */
export function emptyText(store: LogStore): string {
  const removedAt = store.removedAt();
  if (removedAt !== null) {
    return `The lines of the ${store.stream} stream were removed ${exactText(Date.parse(removedAt))} by retention; results and measurements remain.`;
  }
  if (store.complete()) return `The ${store.stream} stream of this attempt is empty.`;
  return 'No lines yet; they appear here as they arrive.';
}
