import { z } from 'zod';
import type { Route } from './route.js';

/** Routes of the controller itself. */
export const SERVICE_ROUTES = {
  /** The process answers, with or without Postgres: a supervisor restarts it when this fails. */
  live: {
    method: 'GET',
    path: '/healthz/live',
    access: 'public',
    response: z.object({ status: z.literal('live'), version: z.string() }),
  },
  /** 503 with the parts that do not work in `errors`: a load balancer sends requests elsewhere. */
  ready: {
    method: 'GET',
    path: '/healthz/ready',
    access: 'public',
    response: z.object({ status: z.literal('ready'), version: z.string() }),
  },
  /** Measurements in the text form of Prometheus. */
  metrics: { method: 'GET', path: '/metrics', access: 'read', isHeavy: true },
  /** Before `live` and `ready`: the database answers. */
  health: {
    method: 'GET',
    path: '/api/v1/health',
    access: 'public',
    response: z.object({ status: z.literal('ok'), database: z.literal('ok'), version: z.string() }),
  },
  session: { method: 'GET', path: '/api/v1/session', access: 'user', response: z.object({ user: z.string() }) },
} as const satisfies Record<string, Route>;
