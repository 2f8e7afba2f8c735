import { z } from 'zod';
import {
  BuildGrid,
  BuildGridQuery,
  Flakiness,
  FlakinessQuery,
  KernelResult,
  KernelResultsQuery,
} from '../schema/build-grid.js';
import { Grid } from '../schema/grid.js';
import { KernelMetrics, KernelMetricsQuery } from '../schema/kernel-metrics.js';
import { Sha256 } from '../schema/ids.js';
import type { Route } from './route.js';

export const GridQuery = z.object({
  /** A run, or absent for the newest ended result of every combination × build name. */
  run: z.uuid().optional(),
  /** `none` leaves out the cells' details: a wide grid has some hundred thousand of them. */
  cells: z.enum(['all', 'none']).default('all'),
  /** Of the newest results: `each` has those of every machine, else the newest of all machines with the same hardware. */
  machines: z.enum(['each']).optional(),
});

/** Routes of the grids: tests by combination and by kernel. */
export const GRID_ROUTES = {
  getGrid: { method: 'GET', path: '/api/v1/grid', access: 'read', isHeavy: true, query: GridQuery, response: Grid },
  /** What every test says on the newest kernels, or on those before a cursor. A combination that is not there has no columns. */
  getBuildGrid: {
    method: 'GET',
    path: '/api/v1/grid/builds',
    access: 'read',
    isHeavy: true,
    query: BuildGridQuery,
    response: BuildGrid,
  },
  /** The newest result of one test on one kernel for each combination, the worst first. */
  getKernelResults: {
    method: 'GET',
    path: '/api/v1/grid/builds/:key',
    access: 'read',
    isHeavy: true,
    params: z.object({ key: Sha256 }),
    query: KernelResultsQuery,
    response: z.array(KernelResult),
  },
  /** What the tests measured on the kernels of a page of that grid. */
  getKernelMetrics: {
    method: 'GET',
    path: '/api/v1/grid/kernel-metrics',
    access: 'read',
    isHeavy: true,
    query: KernelMetricsQuery,
    response: KernelMetrics,
  },
  /** How often the tests' verdicts flip on one and the same kernel and combination. */
  getFlakiness: {
    method: 'GET',
    path: '/api/v1/grid/flakiness',
    access: 'read',
    isHeavy: true,
    query: FlakinessQuery,
    response: Flakiness,
  },
} as const satisfies Record<string, Route>;
