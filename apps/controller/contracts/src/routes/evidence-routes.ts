import { z } from 'zod';
import {
  BuildGrid,
  BuildGridQuery,
  Flakiness,
  FlakinessQuery,
  KernelResult,
  KernelResultsQuery,
} from '../schema/build-grid.js';
import { CompareQuery, Comparison } from '../schema/compare.js';
import { Grid } from '../schema/grid.js';
import { HardwareComparison, HardwareQuery } from '../schema/hardware.js';
import { HistoryQuery, TestHistory } from '../schema/history.js';
import { Sha256 } from '../schema/ids.js';
import { KernelMetrics, KernelMetricsQuery } from '../schema/kernel-metrics.js';
import { MetricView, TestList, Trend, TrendOverview, TrendQuery } from '../schema/trend.js';
import { Twins, TwinsQuery } from '../schema/twins.js';
import type { Route } from './route.js';

export const GridQuery = z.object({
  /** A run, or absent for the newest ended result of every combination × build name. */
  run: z.uuid().optional(),
  /** `none` leaves out the cells' details: a wide grid has some hundred thousand of them. */
  cells: z.enum(['all', 'none']).default('all'),
  /** Of the newest results: `each` has those of every machine, else the newest of all machines with the same hardware. */
  machines: z.enum(['each']).optional(),
});

/** Routes of what results and measurements say: grids, comparisons, history and trends. */
export const EVIDENCE_ROUTES = {
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
  /** What one test said over time, newest first. */
  getHistory: {
    method: 'GET',
    path: '/api/v1/history',
    access: 'read',
    isHeavy: true,
    query: HistoryQuery,
    response: TestHistory,
  },
  /** Two builds, of one run or of two. */
  getCompare: {
    method: 'GET',
    path: '/api/v1/compare',
    access: 'read',
    isHeavy: true,
    query: CompareQuery,
    response: Comparison,
  },
  /** One kernel on two combinations of hardware. */
  getHardware: {
    method: 'GET',
    path: '/api/v1/compare/hardware',
    access: 'read',
    isHeavy: true,
    query: HardwareQuery,
    response: HardwareComparison,
  },
  /** One kernel on machines with the same hardware: where they do not agree, and which of them stands out. */
  getTwins: {
    method: 'GET',
    path: '/api/v1/compare/machines',
    access: 'read',
    isHeavy: true,
    query: TwinsQuery,
    response: Twins,
  },
  /** Every metric that was ever measured. */
  listMetrics: { method: 'GET', path: '/api/v1/metrics', access: 'read', isHeavy: true, response: z.array(MetricView) },
  /** Every metric on every combination in short, those that changed most first. */
  getTrendOverview: {
    method: 'GET',
    path: '/api/v1/trend/overview',
    access: 'read',
    isHeavy: true,
    response: TrendOverview,
  },
  /** Every test that has packed results. */
  listTests: { method: 'GET', path: '/api/v1/tests', access: 'read', isHeavy: true, response: TestList },
  getTrend: { method: 'GET', path: '/api/v1/trend', access: 'read', isHeavy: true, query: TrendQuery, response: Trend },
} as const satisfies Record<string, Route>;
