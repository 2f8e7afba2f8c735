import { useQuery } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import { identify, type Identity } from './client.js';
import { getToken, onTokenChange } from './token.js';

/** Whose token this page has; `data` is undefined until the controller answered, `token` null where it has none. */
export function useIdentity(): { token: string | null; data: Identity | undefined } {
  const token = useSyncExternalStore(onTokenChange, getToken);
  const { data } = useQuery({
    queryKey: ['identity', token],
    queryFn: () => identify(token ?? ''),
    enabled: token !== null,
    staleTime: 60_000,
  });
  return { token, data };
}
