import { z } from 'zod';
import { AttemptDetail } from '../schema/attempts.js';
import { Sequence, SuiteName } from '../schema/ids.js';
import { LOG_STREAMS, LogPage, LogStream, StageLines } from '../schema/logs.js';
import { Role } from '../schema/participants.js';
import { ResultEvidence } from '../schema/results.js';
import { FileName } from '../schema/suite.js';
import type { Route } from './route.js';

const AttemptParams = z.object({ attempt: z.uuid() });

export const LogQuery = z.object({
  stream: LogStream,
  /** Whose log, by its role; absent = that of the attempt's first participant. */
  role: Role.optional(),
  from: z.coerce.number().pipe(Sequence).default(0),
  limit: z.coerce.number().int().min(1).max(10_000).default(1000),
});

/** Routes of one attempt: its results, logs and files. */
export const ATTEMPT_ROUTES = {
  getAttempt: {
    method: 'GET',
    path: '/api/v1/attempts/:attempt',
    access: 'read',
    params: AttemptParams,
    response: AttemptDetail,
  },
  /** Without `role`, of the participant whose verdict stands in the grid: the worst. */
  getResult: {
    method: 'GET',
    path: '/api/v1/attempts/:attempt/result',
    access: 'read',
    params: AttemptParams,
    query: z.object({ suite: SuiteName, test: z.string().min(1).max(500), role: Role.optional() }),
    response: ResultEvidence,
  },
  getLog: {
    method: 'GET',
    path: '/api/v1/attempts/:attempt/log',
    access: 'read',
    params: AttemptParams,
    query: LogQuery,
    response: LogPage,
  },
  /** The first line of each stage in a stream, by the times of both. */
  getStageLines: {
    method: 'GET',
    path: '/api/v1/attempts/:attempt/log/:stream/stages',
    access: 'read',
    isHeavy: true,
    params: AttemptParams.extend({ stream: z.enum(LOG_STREAMS) }),
    query: LogQuery.pick({ role: true }),
    response: StageLines,
  },
  getRawLog: {
    method: 'GET',
    path: '/api/v1/attempts/:attempt/log/:stream',
    access: 'read',
    isHeavy: true,
    takesTicket: true,
    params: AttemptParams.extend({ stream: z.enum(LOG_STREAMS) }),
    query: LogQuery.pick({ role: true }),
  },
  /** A file that a suite of the attempt left, as a download. 410 when retention removed it. */
  getAttemptFile: {
    method: 'GET',
    path: '/api/v1/attempts/:attempt/file',
    access: 'read',
    isHeavy: true,
    params: AttemptParams,
    query: z.object({ suite: SuiteName, name: FileName }),
  },
} as const satisfies Record<string, Route>;
