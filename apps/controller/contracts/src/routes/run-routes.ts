import { z } from 'zod';
import { FoundId, IdPrefix } from '../schema/found-ids.js';
import { RunDetail } from '../schema/run-detail.js';
import { RunSummary } from '../schema/runs.js';
import type { Route } from './route.js';

const RunParams = z.object({ run: z.uuid() });

/** Routes of one run and its jobs. */
export const RUN_ROUTES = {
  getRun: { method: 'GET', path: '/api/v1/runs/:run', access: 'read', params: RunParams, response: RunDetail },
  cancelRun: {
    method: 'POST',
    path: '/api/v1/runs/:run/cancel',
    access: 'user',
    params: RunParams,
    response: RunSummary,
  },
  /** A new run of the same file. Sent again with one `id` it is one run. */
  retryRun: {
    method: 'POST',
    path: '/api/v1/runs/:run/retry',
    access: 'user',
    params: RunParams,
    body: z.strictObject({ id: z.uuid().optional() }),
    response: RunSummary,
  },
  /** Keeps a run with all its evidence, or lets it go again. */
  pinRun: {
    method: 'PATCH',
    path: '/api/v1/runs/:run/pin',
    access: 'user',
    params: RunParams,
    body: z.strictObject({ pinned: z.boolean(), reason: z.string().max(500).optional() }),
    response: z.object({ pinned: z.boolean() }),
  },
  /**
   * A new run of one job that has ended: its build on its machine with its suites. While such a run of the caller has
   * not ended, it is the answer. 409 while the job has not ended.
   */
  retryJob: {
    method: 'POST',
    path: '/api/v1/jobs/:job/retry',
    access: 'user',
    params: z.object({ job: z.uuid() }),
    response: RunSummary,
  },
  /** Verdict and counts as a picture for a README or a pull request. */
  getBadge: { method: 'GET', path: '/api/v1/runs/:run/badge.svg', access: 'public', params: RunParams },
  /** What an id, or its beginning, names: runs, attempts, builds and jobs. Empty when nothing does. */
  findIds: {
    method: 'GET',
    path: '/api/v1/ids/:prefix',
    access: 'read',
    params: z.object({ prefix: IdPrefix }),
    response: z.array(FoundId),
  },
} as const satisfies Record<string, Route>;
