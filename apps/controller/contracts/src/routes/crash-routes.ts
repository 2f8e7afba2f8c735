import { z } from 'zod';
import { AttemptCrashes, CrashDetail, CrashKey, CrashList, CrashMail, CrashQuery } from '../schema/crashes.js';
import { Role } from '../schema/participants.js';
import type { Route } from './route.js';

const CrashParams = z.object({ crash: CrashKey });
const AttemptParams = z.object({ attempt: z.uuid() });

/** Routes of crashes: what the kernels' logs report, grouped over runs by their titles. */
export const CRASH_ROUTES = {
  /** Every crash that was seen, those that were seen last first. */
  listCrashes: {
    method: 'GET',
    path: '/api/v1/crashes',
    access: 'read',
    isHeavy: true,
    query: CrashQuery,
    response: CrashList,
  },
  /** Where and since when a crash was seen: first bad, last good, combinations, builds, tests. */
  getCrash: {
    method: 'GET',
    path: '/api/v1/crashes/:crash',
    access: 'read',
    isHeavy: true,
    params: CrashParams,
    response: CrashDetail,
  },
  /** What the kernel reported in the logs of an attempt. */
  listAttemptCrashes: {
    method: 'GET',
    path: '/api/v1/attempts/:attempt/crashes',
    access: 'read',
    params: AttemptParams,
    response: AttemptCrashes,
  },
  /** A crash of an attempt as a report for a mailing list. Tags such as Reported-by are left to the person who sends it. */
  getCrashMail: {
    method: 'GET',
    path: '/api/v1/attempts/:attempt/crashes/:crash/mail',
    access: 'read',
    isHeavy: true,
    params: AttemptParams.extend(CrashParams.shape),
    query: z.object({ role: Role.optional() }),
    response: CrashMail,
  },
} as const satisfies Record<string, Route>;
