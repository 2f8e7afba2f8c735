import { LiveChannel, type LiveState } from '@peerlab/client';
import type { QueryClient } from '@tanstack/react-query';
import { LIVE_CURSOR_META } from '@peerlab/contracts';
import { createContext, use, useEffect, useSyncExternalStore, type ReactNode } from 'react';
import { keysOfTopic } from './query-client.js';
import { getToken, onTokenChange } from './token.js';

const LiveContext = createContext<LiveChannel | null>(null);

/** Provides the live channel of the page to the components below. */
export function LiveProvider({ channel, children }: { channel: LiveChannel; children: ReactNode }): ReactNode {
  return <LiveContext value={channel}>{children}</LiveContext>;
}

/** Opens the live channel of the page and turns its messages into refetches. Call once. */
export function startLive(queries: QueryClient): LiveChannel {
  const channel = new LiveChannel({
    url: location.origin,
    token: getToken,
    WebSocket,
    since: cursorOfPage(),
    onChanged: createRefetcher(queries),
    // Queries that failed while the controller was away are repeated, whether or not their data changed.
    onReturn: () => void queries.invalidateQueries({ predicate: ({ state }) => state.error !== null }),
    onError: (message) => console.warn(`live-channel-error ${message}`),
  });
  let token = getToken();
  onTokenChange(() => {
    if (getToken() === token) return;
    token = getToken();
    channel.tokenChanged();
  });
  const wake = (): void => {
    if (document.visibilityState === 'visible') channel.retryNow();
  };
  document.addEventListener('visibilitychange', wake);
  window.addEventListener('online', wake);
  return channel;
}

/** Cursor of the moment at which the page was served; null when the controller had none, as without its database. */
function cursorOfPage(): string | null {
  return document.querySelector<HTMLMetaElement>(`meta[name="${LIVE_CURSOR_META}"]`)?.content || null;
}

/**
 * Refetches the queries of a topic, one round per topic at a time: changes that arrive during a round cause exactly
 * one more round, so that a busy run cannot start refetches faster than they end.
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

export function useLiveChannel(): LiveChannel | null {
  return use(LiveContext);
}

/** Subscribes to topics while the component is mounted. */
export function useTopics(...topics: string[]): void {
  const channel = useLiveChannel();
  const key = topics.join(' ');
  useEffect(() => channel?.watch(key.split(' ')), [channel, key]);
}

export function useLiveState(): LiveState {
  const channel = useLiveChannel();
  return useSyncExternalStore(
    (listener) => channel?.onState(listener) ?? (() => undefined),
    () => channel?.state ?? 'connecting',
  );
}
