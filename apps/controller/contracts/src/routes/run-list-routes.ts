import { z } from 'zod';
import { ListedRun, RunCursor, RunFilter } from '../schema/runs.js';
import type { Route } from './route.js';

/** The list of runs; apart from those of one run, because more pages need it and it needs fewer schemas. */
export const RUN_LIST_ROUTES = {
  listRuns: {
    method: 'GET',
    path: '/api/v1/runs',
    access: 'read',
    query: RunFilter.extend({
      before: RunCursor.optional(),
      limit: z.coerce.number().int().min(1).max(200).default(50),
    }),
    response: z.array(ListedRun),
  },
} as const satisfies Record<string, Route>;
