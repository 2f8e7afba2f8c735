import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { BUILD_ROUTES } from '@peerlab/contracts';
import { Api } from './client.js';

export const buildApi = new Api(BUILD_ROUTES);

/** Builds in a page of the list. */
const BUILDS_PAGE = 50;

export const buildsQuery = () =>
  infiniteQueryOptions({
    queryKey: ['builds'],
    queryFn: ({ pageParam, signal }) =>
      buildApi.call(
        'listBuilds',
        { query: { limit: BUILDS_PAGE, ...(pageParam === null ? {} : { before: pageParam }) } },
        signal,
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => (page.length < BUILDS_PAGE ? null : (page.at(-1)?.cursor ?? null)),
  });

/** Builds whose kernel has a build-id that starts with these hex digits, newest first. */
export const buildIdQuery = (prefix: string) =>
  queryOptions({
    queryKey: ['builds', 'id', prefix],
    queryFn: ({ signal }) => buildApi.call('listBuilds', { query: { buildId: prefix, limit: 20 } }, signal),
  });

export const buildQuery = (build: string) =>
  queryOptions({
    queryKey: ['build', build],
    queryFn: ({ signal }) => buildApi.call('getBuild', { params: { build } }, signal),
  });

/** How lines of a build's tree are found on the web. */
export const sourceLinksQuery = (build: string) =>
  queryOptions({
    queryKey: ['source-links', build],
    queryFn: ({ signal }) => buildApi.call('getSourceLinks', { params: { build } }, signal),
    staleTime: 60_000,
  });

/** The text of a patch. It never changes. */
export const patchQuery = (build: string, number: number) =>
  queryOptions({
    queryKey: ['patch', build, number],
    queryFn: ({ signal }) => buildApi.call('getPatch', { params: { build, number } }, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });
