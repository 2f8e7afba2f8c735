import { queryOptions } from '@tanstack/react-query';
import { GRID_ROUTES } from '@peerlab/contracts';
import { Api } from './client.js';

export const gridApi = new Api(GRID_ROUTES);

export const gridQuery = ({ run, machines }: { run?: string | undefined; machines?: 'each' | undefined }) =>
  queryOptions({
    queryKey: ['grid', run ?? 'newest', machines ?? ''],
    queryFn: ({ signal }) => gridApi.call('getGrid', { query: { run, machines, cells: 'none' } }, signal),
  });

/** The grid of a run with all that is known of each cell, for its report. `news`: changes with what the report says. */
export const runGridQuery = (run: string, news: string) =>
  queryOptions({
    queryKey: ['grid', run, 'cells', news],
    queryFn: ({ signal }) => gridApi.call('getGrid', { query: { run } }, signal),
  });

/**
 * Tests on a page of kernels, the newest or those `before` a cursor, of one combination (absent: that with the newest
 * result) or of all. While another page of the same combination loads, the previous page stays visible.
 */
export const buildGridQuery = (combination: string | undefined, before: string | undefined) => {
  const of = combination ?? 'newest';
  return queryOptions({
    queryKey: ['build-grid', of, before ?? ''],
    queryFn: ({ signal }) =>
      gridApi.call(
        'getBuildGrid',
        {
          query: {
            ...(combination === undefined ? {} : { combination }),
            ...(before === undefined ? {} : { before }),
          },
        },
        signal,
      ),
    refetchInterval: ({ state }) => pendingPause(state.data),
    placeholderData: (previous, query) => (query?.queryKey[1] === of ? previous : undefined),
  });
};

/** Metrics of the tests on a page of kernels, of one combination. */
export const kernelMetricsQuery = (combination: string, before: string | undefined) =>
  queryOptions({
    queryKey: ['kernel-metrics', combination, before ?? ''],
    queryFn: ({ signal }) =>
      gridApi.call('getKernelMetrics', { query: { combination, ...(before === undefined ? {} : { before }) } }, signal),
  });

/** The newest result of a test on a kernel for each combination. */
export const kernelResultsQuery = (key: string, suite: string, test: string) =>
  queryOptions({
    queryKey: ['kernel-results', key, suite, test],
    queryFn: ({ signal }) => gridApi.call('getKernelResults', { params: { key }, query: { suite, test } }, signal),
  });

/** How often tests flip, on one combination or (absent) on all. */
export const flakinessQuery = (combination: string | undefined) =>
  queryOptions({
    queryKey: ['flakiness', combination ?? 'all'],
    queryFn: ({ signal }) =>
      gridApi.call('getFlakiness', { query: combination === undefined ? {} : { combination } }, signal),
    refetchInterval: ({ state }) => pendingPause(state.data),
  });

/** Interval of refetches while the controller still summarises old attempts, in milliseconds. */
const PENDING_MS = 400;

function pendingPause(data: { pending: number } | undefined): number | false {
  return data !== undefined && data.pending > 0 ? PENDING_MS : false;
}
