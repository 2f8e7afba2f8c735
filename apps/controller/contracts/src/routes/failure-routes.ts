import { z } from 'zod';
import {
  Baseline,
  BASELINES_MAX,
  FailureMemory,
  NewBaseline,
  FailureSubject,
  NewKnownFailure,
  RunFailures,
} from '../schema/failure-memory.js';
import { SuiteName } from '../schema/ids.js';
import type { Route } from './route.js';

const AttemptParams = z.object({ attempt: z.uuid() });

/** Routes of failures: where they were seen before, and which of them people know. */
export const FAILURE_ROUTES = {
  /**
   * Where and when a failed result failed in the same way before; without suite and test, the attempt itself. 404 for what is
   * no failure.
   */
  getFailure: {
    method: 'GET',
    path: '/api/v1/attempts/:attempt/failure',
    access: 'read',
    isHeavy: true,
    params: AttemptParams,
    query: FailureSubject,
    response: FailureMemory,
  },
  /** The failed results and attempts of a run, or of one attempt of it, with how often each failure was seen before. */
  listRunFailures: {
    method: 'GET',
    path: '/api/v1/runs/:run/failures',
    access: 'read',
    isHeavy: true,
    params: z.object({ run: z.uuid() }),
    query: z.object({ attempt: z.uuid().optional() }),
    response: RunFailures,
  },
  /** Marks a failure of a test, or without suite and test of an attempt, as known until a date. Verdicts stay as they are. */
  markKnownFailure: {
    method: 'POST',
    path: '/api/v1/attempts/:attempt/failure/known',
    access: 'user',
    params: AttemptParams,
    body: NewKnownFailure,
    response: FailureMemory,
  },
  /**
   * Accepts what fails in a suite of an attempt as known on every kernel of its base, in place of what was accepted before.
   * 422 unless the attempt tested the untouched base.
   */
  acceptBaseline: {
    method: 'POST',
    path: '/api/v1/attempts/:attempt/baseline',
    access: 'user',
    params: AttemptParams,
    body: NewBaseline,
    response: Baseline,
  },
  /** The newest baseline of each suite and base, those that have ended included. */
  listBaselines: {
    method: 'GET',
    path: '/api/v1/baselines',
    access: 'read',
    query: z.object({ suite: SuiteName.optional() }),
    response: z.array(Baseline).max(BASELINES_MAX),
  },
  /** Withdraws such a mark, or a baseline. */
  endKnownFailure: {
    method: 'POST',
    path: '/api/v1/known-failures/:known/end',
    access: 'user',
    params: z.object({ known: z.uuid() }),
    response: z.object({ ended: z.literal(true) }),
  },
} as const satisfies Record<string, Route>;
