import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { HOOK_ROUTES } from '@peerlab/contracts';
import { Api } from './client.js';
import { SENT_ONCE } from './query-client.js';

export const hookApi = new Api(HOOK_ROUTES);

export const deliveriesQuery = () =>
  infiniteQueryOptions({
    queryKey: ['deliveries'],
    queryFn: ({ pageParam, signal }) =>
      hookApi.call('listDeliveries', { query: pageParam === null ? {} : { before: pageParam } }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
    ...SENT_ONCE,
  });

export const hooksQuery = () =>
  queryOptions({ queryKey: ['hooks'], queryFn: ({ signal }) => hookApi.call('listHooks', {}, signal), ...SENT_ONCE });

export const reportsQuery = () =>
  queryOptions({
    queryKey: ['reports'],
    queryFn: ({ signal }) => hookApi.call('listReports', {}, signal),
    ...SENT_ONCE,
  });
