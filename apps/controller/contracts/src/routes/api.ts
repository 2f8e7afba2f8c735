import type { z } from 'zod';
import { ATTEMPT_ROUTES } from './attempt-routes.js';
import { BUILD_ROUTES } from './build-routes.js';
import { BUNDLE_ROUTES } from './bundle-routes.js';
import { COMPARE_ROUTES } from './compare-routes.js';
import { COVERAGE_ROUTES } from './coverage-routes.js';
import { CRASH_ROUTES } from './crash-routes.js';
import { FAILURE_ROUTES } from './failure-routes.js';
import { FLEET_ROUTES } from './fleet-routes.js';
import { GRID_ROUTES } from './grid-routes.js';
import { HEALTH_ROUTES } from './health-routes.js';
import { HOOK_ROUTES } from './hook-routes.js';
import { OVER_TIME_ROUTES } from './over-time-routes.js';
import { RESERVATION_ROUTES } from './reservation-routes.js';
import { RETENTION_ROUTES } from './retention-routes.js';
import { RUN_ROUTES } from './run-routes.js';
import { RUN_LIST_ROUTES } from './run-list-routes.js';
import { SERVICE_ROUTES } from './service-routes.js';
import { SUBMISSION_ROUTES } from './submission-routes.js';
import { TOKEN_ROUTES } from './token-routes.js';
import { requestTo, type Route, type RouteRequest } from './route.js';

/**
 * Every HTTP route, which the controller serves. Programs that need all of them import this table; a page of the web UI
 * imports the tables of its areas, so that it loads no schemas of others.
 */
export const ROUTES = {
  ...SERVICE_ROUTES,
  ...SUBMISSION_ROUTES,
  ...RUN_LIST_ROUTES,
  ...RUN_ROUTES,
  ...ATTEMPT_ROUTES,
  ...FAILURE_ROUTES,
  ...CRASH_ROUTES,
  ...GRID_ROUTES,
  ...COMPARE_ROUTES,
  ...OVER_TIME_ROUTES,
  ...FLEET_ROUTES,
  ...HEALTH_ROUTES,
  ...RESERVATION_ROUTES,
  ...BUILD_ROUTES,
  ...COVERAGE_ROUTES,
  ...BUNDLE_ROUTES,
  ...HOOK_ROUTES,
  ...TOKEN_ROUTES,
  ...RETENTION_ROUTES,
} as const satisfies Record<string, Route>;
export type Routes = typeof ROUTES;
export type RouteName = keyof typeof ROUTES;

type Parsed<S> = S extends z.ZodType ? z.output<S> : undefined;
type Written<S> = S extends z.ZodType ? z.input<S> : never;
type Part<R, K extends string> = R extends Record<K, infer S> ? { [P in K]: Written<S> } : unknown;
export type CallOf<N extends RouteName> = Part<(typeof ROUTES)[N], 'params'> &
  Partial<Part<(typeof ROUTES)[N], 'query'>> &
  Part<(typeof ROUTES)[N], 'body'>;
export type AnswerOf<N extends RouteName> = (typeof ROUTES)[N] extends { response: infer S } ? Parsed<S> : undefined;

/** Method, path with query, and JSON body text of a call by the name of its route. */
export function requestOf<N extends RouteName>(name: N, call: CallOf<N>): RouteRequest {
  return requestTo(ROUTES[name], call);
}
