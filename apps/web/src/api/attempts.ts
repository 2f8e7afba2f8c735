import { queryOptions } from '@tanstack/react-query';
import { ATTEMPT_ROUTES, type LogStream } from '@peerlab/contracts';
import { Api } from './client.js';

export const attemptApi = new Api(ATTEMPT_ROUTES);

export const attemptQuery = (attempt: string) =>
  queryOptions({
    queryKey: ['attempt', attempt],
    queryFn: ({ signal }) => attemptApi.call('getAttempt', { params: { attempt } }, signal),
  });

/**
 * Lines of a stream, `limit` from the line `from` on. useLogStore removes the answer from the cache: the log may have
 * grown when the same range is needed again.
 */
export const logLinesQuery = (attempt: string, stream: LogStream, from: number, limit: number, role?: string) =>
  queryOptions({
    queryKey: ['log-lines', attempt, role, stream, from, limit],
    queryFn: ({ signal }) =>
      attemptApi.call('getLog', { params: { attempt }, query: { role, stream, from, limit } }, signal),
    gcTime: 10_000,
  });

/** Where the stages of an ended attempt begin in one of its streams. */
export const stageLinesQuery = (attempt: string, stream: LogStream, role?: string) =>
  queryOptions({
    queryKey: ['stage-lines', attempt, stream, role],
    queryFn: ({ signal }) => attemptApi.call('getStageLines', { params: { attempt, stream }, query: { role } }, signal),
    staleTime: Infinity,
  });

/** One cell of the grid with all its evidence. */
export const resultQuery = (attempt: string, suite: string, test: string) =>
  queryOptions({
    queryKey: ['result', attempt, suite, test],
    queryFn: ({ signal }) => attemptApi.call('getResult', { params: { attempt }, query: { suite, test } }, signal),
  });
