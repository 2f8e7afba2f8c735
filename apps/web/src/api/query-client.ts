import { ApiError } from '@peerlab/client';
import { QueryClient } from '@tanstack/react-query';

/** Options of queries that need a token: sent once, because each try without a token opens the dialog. */
export const SENT_ONCE = { retry: false, refetchOnWindowFocus: false, staleTime: 30_000 } as const;

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        // On loopback or a lab network without Internet the browser claims to be offline.
        networkMode: 'always',
        staleTime: 5_000,
        retry: (count, error) => count < 2 && error instanceof ApiError && error.isTransient,
        refetchOnWindowFocus: true,
      },
      mutations: { networkMode: 'always', retry: false },
    },
  });
}

/** Query keys that a change of a live topic makes stale. */
export function keysOfTopic(topic: string): readonly (readonly string[])[] {
  switch (topic) {
    case 'runs':
      return [['runs']];
    case 'machines':
      return [['fleet'], ['machine'], ['catalogue']];
    case 'grid':
      return [
        ['grid'],
        ['build-grid'],
        ['kernel-results'],
        ['kernel-metrics'],
        ['flakiness'],
        ['history'],
        ['trend'],
        ['compare', 'hardware'],
        ['metrics'],
        ['failure'],
        ['run-failures'],
      ];
    case 'builds':
      return [['builds'], ['build']];
    default:
      return topic.startsWith('run:') ? [['run', topic.slice(4)], ['attempt'], ['compare'], ['build']] : [];
  }
}
