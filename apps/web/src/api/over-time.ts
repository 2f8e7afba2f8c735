import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { OVER_TIME_ROUTES } from '@peerlab/contracts';
import type { HistorySearch, TrendsSearch } from '../search.js';
import { Api } from './client.js';

const overTimeApi = new Api(OVER_TIME_ROUTES);

/** Results in a page of a history. */
const HISTORY_PAGE = 200;

export const historyQuery = ({ combination, build, ...of }: HistorySearch & { suite: string; test: string }) =>
  infiniteQueryOptions({
    queryKey: ['history', of.suite, of.test, combination ?? '', build ?? ''],
    queryFn: ({ pageParam, signal }) =>
      overTimeApi.call(
        'getHistory',
        {
          query: {
            suite: of.suite,
            test: of.test,
            limit: HISTORY_PAGE,
            ...(combination === undefined ? {} : { combination }),
            ...(build === undefined ? {} : { build }),
            ...(pageParam === null ? {} : { before: pageParam }),
          },
        },
        signal,
      ),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
  });

/** Every test of the farm. */
export const testsQuery = () =>
  queryOptions({
    queryKey: ['tests'],
    queryFn: ({ signal }) => overTimeApi.call('listTests', {}, signal),
    staleTime: 60_000,
  });

export const metricsQuery = () =>
  queryOptions({ queryKey: ['metrics'], queryFn: ({ signal }) => overTimeApi.call('listMetrics', {}, signal) });

/** Every metric in short. */
export const trendOverviewQuery = () =>
  queryOptions({
    queryKey: ['trend', 'overview'],
    queryFn: ({ signal }) => overTimeApi.call('getTrendOverview', {}, signal),
  });

export const trendQuery = ({ suite, metric, combination, build }: TrendsSearch & { suite: string; metric: string }) =>
  queryOptions({
    queryKey: ['trend', suite, metric, combination ?? '', build ?? ''],
    queryFn: ({ signal }) =>
      overTimeApi.call(
        'getTrend',
        {
          query: {
            suite,
            metric,
            ...(combination === undefined ? {} : { combination }),
            ...(build === undefined ? {} : { build }),
          },
        },
        signal,
      ),
  });
