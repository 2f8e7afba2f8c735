import { queryOptions } from '@tanstack/react-query';
import { FAILURE_ROUTES, type FailureSubject } from '@peerlab/contracts';
import { Api } from './client.js';

export const failureApi = new Api(FAILURE_ROUTES);

/** Where and when a failed result, or (an empty subject) the attempt itself, failed in the same way before. */
export const failureQuery = (attempt: string, subject: FailureSubject) =>
  queryOptions({
    queryKey: ['failure', attempt, subject],
    queryFn: ({ signal }) => failureApi.call('getFailure', { params: { attempt }, query: subject }, signal),
  });

/** Failed results of a run, or of one attempt of it, with how often each failure was seen before. */
export const runFailuresQuery = (run: string, attempt?: string) =>
  queryOptions({
    queryKey: ['run-failures', run, attempt ?? 'all'],
    queryFn: ({ signal }) =>
      failureApi.call('listRunFailures', { params: { run }, query: attempt === undefined ? {} : { attempt } }, signal),
  });
