import { z } from 'zod';
import { HistoryQuery, TestHistory } from '../schema/history.js';
import { MetricView, TestList, Trend, TrendOverview, TrendQuery } from '../schema/trend.js';
import type { Route } from './route.js';

/** Routes of results and measurements over time. */
export const OVER_TIME_ROUTES = {
  /** What one test said over time, newest first. */
  getHistory: {
    method: 'GET',
    path: '/api/v1/history',
    access: 'read',
    isHeavy: true,
    query: HistoryQuery,
    response: TestHistory,
  },
  /** Every test that has packed results. */
  listTests: { method: 'GET', path: '/api/v1/tests', access: 'read', isHeavy: true, response: TestList },
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
  getTrend: { method: 'GET', path: '/api/v1/trend', access: 'read', isHeavy: true, query: TrendQuery, response: Trend },
} as const satisfies Record<string, Route>;
