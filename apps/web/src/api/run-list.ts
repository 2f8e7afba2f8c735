import { infiniteQueryOptions } from '@tanstack/react-query';
import { RUN_LIST_ROUTES, type RunFilter } from '@peerlab/contracts';
import { Api } from './client.js';

const runListApi = new Api(RUN_LIST_ROUTES);

/** Runs in a page of the list. */
const RUNS_PAGE = 50;

export const runsQuery = (filter: RunFilter = {}) =>
  infiniteQueryOptions({
    queryKey: ['runs', filter],
    queryFn: ({ pageParam, signal }) =>
      runListApi.call(
        'listRuns',
        { query: { ...filter, limit: RUNS_PAGE, ...(pageParam === null ? {} : { before: pageParam }) } },
        signal,
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => (page.length < RUNS_PAGE ? null : (page.at(-1)?.cursor ?? null)),
  });
