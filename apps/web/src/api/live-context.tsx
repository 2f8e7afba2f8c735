import type { QueryClient } from '@tanstack/react-query';
import { LIVE_CURSOR_META } from '@peerlab/contracts';
import { createContext, use, useEffect, useSyncExternalStore, type ReactNode } from 'react';
import { createLiveLink, type LiveLink, type LiveState } from './live.js';
import { keysOfTopic } from './queries.js';
import { getToken, onTokenChange } from './token.js';

const LiveContext = createContext<LiveLink | null>(null);

/** Gives the page's one live connection to everything below. */
export function LiveProvider({ link, children }: { link: LiveLink; children: ReactNode }): ReactNode {
  return <LiveContext value={link}>{children}</LiveContext>;
}

/** Opens the live connection of the page and turns its messages into refetches. Call once. */
export function startLive(queries: QueryClient): LiveLink {
  const link = createLiveLink(
    {
      onChanged: createRefetcher(queries),
      // What failed while the controller was away is asked for again, whether or not it changed.
      onReturn: () => void queries.invalidateQueries({ predicate: ({ state }) => state.error !== null }),
    },
    cursorOfPage(),
    getToken,
  );
  let token = getToken();
  onTokenChange(() => {
    if (getToken() === token) return;
    token = getToken();
    link.tokenChanged();
  });
  const wake = (): void => {
    if (document.visibilityState === 'visible') link.retryNow();
  };
  document.addEventListener('visibilitychange', wake);
  window.addEventListener('online', wake);
  return link;
}

/** When the page was asked for; null when its controller did not say, as while the database is away. */
function cursorOfPage(): string | null {
  return document.querySelector<HTMLMetaElement>(`meta[name="${LIVE_CURSOR_META}"]`)?.content || null;
}

/**
 * Refetches what a topic touches, one round per topic at a time: changes that arrive during a round
 * cause exactly one more, so that a busy run cannot outpace its own page.
 */
function createRefetcher(queries: QueryClient): (topic: string | null) => void {
  const running = new Set<string>();
  const again = new Set<string>();
  const round = (topic: string): void => {
    if (running.has(topic)) {
      again.add(topic);
      return;
    }
    running.add(topic);
    const keys = keysOfTopic(topic);
    void Promise.all(keys.map((queryKey) => queries.invalidateQueries({ queryKey: [...queryKey] }))).finally(() => {
      running.delete(topic);
      if (again.delete(topic)) round(topic);
    });
  };
  return (topic) => {
    if (topic === null) void queries.invalidateQueries();
    else round(topic);
  };
}

export function useLiveLink(): LiveLink | null {
  return use(LiveContext);
}

/** Subscribes the page to topics for as long as it is shown. */
export function useTopics(...topics: string[]): void {
  const link = useLiveLink();
  const key = topics.join(' ');
  useEffect(() => link?.watch(key.split(' ')), [link, key]);
}

export function useLiveState(): LiveState {
  const link = useLiveLink();
  return useSyncExternalStore(
    (listener) => link?.onState(listener) ?? (() => undefined),
    () => link?.state() ?? 'connecting',
  );
}
