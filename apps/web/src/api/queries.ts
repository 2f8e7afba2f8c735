import { ApiError } from '@peerlab/client';
import { infiniteQueryOptions, QueryClient, queryOptions } from '@tanstack/react-query';
import type { FailureSubject, LogStream, RunFilter } from '@peerlab/contracts';
import type { HistorySearch, TrendsSearch } from '../search.js';
import { call } from './client.js';

/** Runs in a page of the list. */
const RUNS_PAGE = 50;

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

export const gridQuery = (run: string | undefined) =>
  queryOptions({
    queryKey: ['grid', run ?? 'newest'],
    queryFn: ({ signal }) =>
      call('getGrid', { query: run === undefined ? { cells: 'none' } : { run, cells: 'none' } }, signal),
  });

/** The grid of a run with all that is known of each cell, for its report. `news`: changes with what the report says. */
export const runGridQuery = (run: string, news: string) =>
  queryOptions({
    queryKey: ['grid', run, 'cells', news],
    queryFn: ({ signal }) => call('getGrid', { query: { run } }, signal),
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
      call(
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
      call('getKernelMetrics', { query: { combination, ...(before === undefined ? {} : { before }) } }, signal),
  });

/** The newest result of a test on a kernel for each combination. */
export const kernelResultsQuery = (key: string, suite: string, test: string) =>
  queryOptions({
    queryKey: ['kernel-results', key, suite, test],
    queryFn: ({ signal }) => call('getKernelResults', { params: { key }, query: { suite, test } }, signal),
  });

/** How often tests flip, on one combination or (absent) on all. */
export const flakinessQuery = (combination: string | undefined) =>
  queryOptions({
    queryKey: ['flakiness', combination ?? 'all'],
    queryFn: ({ signal }) => call('getFlakiness', { query: combination === undefined ? {} : { combination } }, signal),
    refetchInterval: ({ state }) => pendingPause(state.data),
  });

/** Interval of refetches while the controller still summarises old attempts, in milliseconds. */
const PENDING_MS = 400;

function pendingPause(data: { pending: number } | undefined): number | false {
  return data !== undefined && data.pending > 0 ? PENDING_MS : false;
}

/** Where the stages of an ended attempt begin in one of its streams. */
export const stageLinesQuery = (attempt: string, stream: LogStream, role?: string) =>
  queryOptions({
    queryKey: ['stage-lines', attempt, stream, role],
    queryFn: ({ signal }) => call('getStageLines', { params: { attempt, stream }, query: { role } }, signal),
    staleTime: Infinity,
  });

/** One cell of the grid with all its evidence. */
export const resultQuery = (attempt: string, suite: string, test: string) =>
  queryOptions({
    queryKey: ['result', attempt, suite, test],
    queryFn: ({ signal }) => call('getResult', { params: { attempt }, query: { suite, test } }, signal),
  });

/** Where and when a failed result, or (an empty subject) the attempt itself, failed in the same way before. */
export const failureQuery = (attempt: string, subject: FailureSubject) =>
  queryOptions({
    queryKey: ['failure', attempt, subject],
    queryFn: ({ signal }) => call('getFailure', { params: { attempt }, query: subject }, signal),
  });

/** Failed results of a run, or of one attempt of it, with how often each failure was seen before. */
export const runFailuresQuery = (run: string, attempt?: string) =>
  queryOptions({
    queryKey: ['run-failures', run, attempt ?? 'all'],
    queryFn: ({ signal }) =>
      call('listRunFailures', { params: { run }, query: attempt === undefined ? {} : { attempt } }, signal),
  });

/** Crashes over all runs, those seen last first. `q`: part of their titles. */
export const crashesQuery = (q: string | undefined) =>
  queryOptions({
    queryKey: ['crashes', q ?? ''],
    queryFn: ({ signal }) => call('listCrashes', { query: q === undefined ? {} : { q } }, signal),
    placeholderData: (previous) => previous,
  });

/** Where a crash was seen, and where not before. */
export const crashQuery = (crash: string) =>
  queryOptions({
    queryKey: ['crash', crash],
    queryFn: ({ signal }) => call('getCrash', { params: { crash } }, signal),
  });

/** Interval of refetches while the log of an ended attempt is searched, in milliseconds. */
const SEARCH_MS = 3000;

/** What the kernel reported in the logs of an attempt. `ended`: before its end nothing is searched. */
export const attemptCrashesQuery = (attempt: string, ended: boolean) =>
  queryOptions({
    queryKey: ['attempt-crashes', attempt, ended],
    queryFn: ({ signal }) => call('listAttemptCrashes', { params: { attempt } }, signal),
    refetchInterval: ({ state }) => (ended && state.data?.pending === true ? SEARCH_MS : false),
  });

/** A crash of an attempt as a report for a mailing list. */
export const crashMailQuery = (attempt: string, crash: string, role: string) =>
  queryOptions({
    queryKey: ['crash-mail', attempt, crash, role],
    queryFn: ({ signal }) => call('getCrashMail', { params: { attempt, crash }, query: { role } }, signal),
  });

export const runsQuery = (filter: RunFilter = {}) =>
  infiniteQueryOptions({
    queryKey: ['runs', filter],
    queryFn: ({ pageParam, signal }) =>
      call(
        'listRuns',
        { query: { ...filter, limit: RUNS_PAGE, ...(pageParam === null ? {} : { before: pageParam }) } },
        signal,
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => (page.length < RUNS_PAGE ? null : (page.at(-1)?.cursor ?? null)),
  });

export const runQuery = (run: string) =>
  queryOptions({
    queryKey: ['run', run],
    queryFn: ({ signal }) => call('getRun', { params: { run } }, signal),
  });

export const attemptQuery = (attempt: string) =>
  queryOptions({
    queryKey: ['attempt', attempt],
    queryFn: ({ signal }) => call('getAttempt', { params: { attempt } }, signal),
  });

/**
 * Lines of a stream, `limit` from the line `from` on. useLogStore removes the answer from the cache: the log may have
 * grown when the same range is needed again.
 */
export const logLinesQuery = (attempt: string, stream: LogStream, from: number, limit: number, role?: string) =>
  queryOptions({
    queryKey: ['log-lines', attempt, role, stream, from, limit],
    queryFn: ({ signal }) => call('getLog', { params: { attempt }, query: { role, stream, from, limit } }, signal),
    gcTime: 10_000,
  });

export const fleetQuery = () =>
  queryOptions({ queryKey: ['fleet'], queryFn: ({ signal }) => call('getFleet', {}, signal) });

/** Suites and configurations that a run may name; they change when an agent connects. */
export const catalogueQuery = () =>
  queryOptions({ queryKey: ['catalogue'], queryFn: ({ signal }) => call('getCatalogue', {}, signal) });

export const machineQuery = (machine: string) =>
  queryOptions({
    queryKey: ['machine', machine],
    queryFn: ({ signal }) => call('getMachine', { params: { machine } }, signal),
  });

/** Interval at which queues and use are fetched: they are counted over a week of leases, so not with every change. */
const USE_MS = 30_000;

export const machineUseQuery = () =>
  queryOptions({
    queryKey: ['machine-use'],
    queryFn: ({ signal }) => call('listMachineUse', {}, signal),
    refetchInterval: USE_MS,
  });

export const machineChangesQuery = (machine: string) =>
  queryOptions({
    queryKey: ['machine', machine, 'changes'],
    queryFn: ({ signal }) => call('listMachineChanges', { params: { machine } }, signal),
  });

export const machineQueueQuery = (machine: string) =>
  queryOptions({
    queryKey: ['machine', machine, 'queue'],
    queryFn: ({ signal }) => call('listMachineQueue', { params: { machine } }, signal),
  });

/** The key begins with that of the machine, so that a change of the machine invalidates the attempts as well. */
export const machineAttemptsQuery = (machine: string) =>
  queryOptions({
    queryKey: ['machine', machine, 'attempts'],
    queryFn: ({ signal }) => call('listMachineAttempts', { params: { machine } }, signal),
  });

export const inventoryHistoryQuery = (machine: string) =>
  queryOptions({
    queryKey: ['machine', machine, 'inventories'],
    queryFn: ({ signal }) => call('getInventoryHistory', { params: { machine } }, signal),
  });

/** Builds in a page of the list. */
const BUILDS_PAGE = 50;

export const buildsQuery = () =>
  infiniteQueryOptions({
    queryKey: ['builds'],
    queryFn: ({ pageParam, signal }) =>
      call(
        'listBuilds',
        { query: { limit: BUILDS_PAGE, ...(pageParam === null ? {} : { before: pageParam }) } },
        signal,
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => (page.length < BUILDS_PAGE ? null : (page.at(-1)?.cursor ?? null)),
  });

export const buildQuery = (build: string) =>
  queryOptions({
    queryKey: ['build', build],
    queryFn: ({ signal }) => call('getBuild', { params: { build } }, signal),
  });

/** The text of a patch. It never changes. */
export const patchQuery = (build: string, number: number) =>
  queryOptions({
    queryKey: ['patch', build, number],
    queryFn: ({ signal }) => call('getPatch', { params: { build, number } }, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });

export const templatesQuery = () =>
  queryOptions({
    queryKey: ['templates'],
    queryFn: ({ signal }) => call('listTemplates', {}, signal),
    staleTime: 60_000,
  });

/** Results in a page of a history. */
const HISTORY_PAGE = 200;

export const historyQuery = ({ combination, build, ...of }: HistorySearch & { suite: string; test: string }) =>
  infiniteQueryOptions({
    queryKey: ['history', of.suite, of.test, combination ?? '', build ?? ''],
    queryFn: ({ pageParam, signal }) =>
      call(
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

export const compareQuery = ({
  a,
  b,
  rows,
  on,
}: {
  a: string;
  b: string | undefined;
  rows: 'changed' | 'all';
  on: string | undefined;
}) =>
  queryOptions({
    queryKey: ['compare', a, b ?? '', rows, on ?? ''],
    queryFn: ({ signal }) =>
      call(
        'getCompare',
        { query: { a, ...(b === undefined ? {} : { b }), rows, ...(on === undefined ? {} : { combination: on }) } },
        signal,
      ),
  });

/** Builds whose kernel has a build-id that starts with these hex digits, newest first. */
export const buildIdQuery = (prefix: string) =>
  queryOptions({
    queryKey: ['builds', 'id', prefix],
    queryFn: ({ signal }) => call('listBuilds', { query: { buildId: prefix, limit: 20 } }, signal),
  });

/** Every test of the farm. */
export const testsQuery = () =>
  queryOptions({
    queryKey: ['tests'],
    queryFn: ({ signal }) => call('listTests', {}, signal),
    staleTime: 60_000,
  });

/** One kernel on two combinations. */
export const hardwareQuery = ({
  build,
  a,
  b,
  rows,
}: {
  build: string | undefined;
  a: string | undefined;
  b: string | undefined;
  rows: 'changed' | 'all';
}) =>
  queryOptions({
    queryKey: ['compare', 'hardware', build ?? '', a ?? '', b ?? '', rows],
    queryFn: ({ signal }) =>
      call(
        'getHardware',
        {
          query: {
            ...(build === undefined ? {} : { build }),
            ...(a === undefined ? {} : { a }),
            ...(b === undefined ? {} : { b }),
            rows,
          },
        },
        signal,
      ),
  });

export const metricsQuery = () =>
  queryOptions({ queryKey: ['metrics'], queryFn: ({ signal }) => call('listMetrics', {}, signal) });

/** Every metric in short. */
export const trendOverviewQuery = () =>
  queryOptions({ queryKey: ['trend', 'overview'], queryFn: ({ signal }) => call('getTrendOverview', {}, signal) });

export const trendQuery = ({ suite, metric, combination, build }: TrendsSearch & { suite: string; metric: string }) =>
  queryOptions({
    queryKey: ['trend', suite, metric, combination ?? '', build ?? ''],
    queryFn: ({ signal }) =>
      call(
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

/** Options of queries that need a token: sent once, because each try without a token opens the dialog. */
const SENT_ONCE = { retry: false, refetchOnWindowFocus: false, staleTime: 30_000 } as const;

export const tokensQuery = () =>
  queryOptions({ queryKey: ['tokens'], queryFn: ({ signal }) => call('listTokens', {}, signal), ...SENT_ONCE });

export const deliveriesQuery = () =>
  infiniteQueryOptions({
    queryKey: ['deliveries'],
    queryFn: ({ pageParam, signal }) =>
      call('listDeliveries', { query: pageParam === null ? {} : { before: pageParam } }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
    ...SENT_ONCE,
  });

export const hooksQuery = () =>
  queryOptions({ queryKey: ['hooks'], queryFn: ({ signal }) => call('listHooks', {}, signal), ...SENT_ONCE });

export const reportsQuery = () =>
  queryOptions({ queryKey: ['reports'], queryFn: ({ signal }) => call('listReports', {}, signal), ...SENT_ONCE });

export const retentionQuery = () =>
  queryOptions({ queryKey: ['retention'], queryFn: ({ signal }) => call('getRetention', {}, signal) });

/** What retention would remove now. Sent on request only, because the plan reads everything that is stored. */
export const retentionPlanQuery = () =>
  queryOptions({
    queryKey: ['retention-plan'],
    queryFn: ({ signal }) => call('planRetention', {}, signal),
    enabled: false,
  });

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
