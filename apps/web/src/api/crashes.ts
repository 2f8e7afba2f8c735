import { queryOptions } from '@tanstack/react-query';
import { CRASH_ROUTES } from '@peerlab/contracts';
import { Api } from './client.js';

const crashApi = new Api(CRASH_ROUTES);

/** Crashes over all runs, those seen last first. `q`: part of their titles. */
export const crashesQuery = (q: string | undefined) =>
  queryOptions({
    queryKey: ['crashes', q ?? ''],
    queryFn: ({ signal }) => crashApi.call('listCrashes', { query: q === undefined ? {} : { q } }, signal),
    placeholderData: (previous) => previous,
  });

/** Where a crash was seen, and where not before. */
export const crashQuery = (crash: string) =>
  queryOptions({
    queryKey: ['crash', crash],
    queryFn: ({ signal }) => crashApi.call('getCrash', { params: { crash } }, signal),
  });

/** Interval of refetches while the log of an ended attempt is searched, in milliseconds. */
const SEARCH_MS = 3000;

/** What the kernel reported in the logs of an attempt. `ended`: before its end nothing is searched. */
export const attemptCrashesQuery = (attempt: string, ended: boolean) =>
  queryOptions({
    queryKey: ['attempt-crashes', attempt, ended],
    queryFn: ({ signal }) => crashApi.call('listAttemptCrashes', { params: { attempt } }, signal),
    refetchInterval: ({ state }) => (ended && state.data?.pending === true ? SEARCH_MS : false),
  });

/** A crash of an attempt as a report for a mailing list. */
export const crashMailQuery = (attempt: string, crash: string, role: string) =>
  queryOptions({
    queryKey: ['crash-mail', attempt, crash, role],
    queryFn: ({ signal }) => crashApi.call('getCrashMail', { params: { attempt, crash }, query: { role } }, signal),
  });
