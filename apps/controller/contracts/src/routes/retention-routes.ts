import { RetentionPlan, RetentionView } from '../schema/retention.js';
import type { Route } from './route.js';

/** Routes of what is kept and removed. */
export const RETENTION_ROUTES = {
  getRetention: { method: 'GET', path: '/api/v1/retention', access: 'read', response: RetentionView },
  /** A dry run: what would be removed now. */
  planRetention: {
    method: 'GET',
    path: '/api/v1/retention/plan',
    access: 'read',
    isHeavy: true,
    response: RetentionPlan,
  },
  /** Removes now what the next pass would remove anyway; 409 while a controller is at it. */
  runRetention: { method: 'POST', path: '/api/v1/retention/run', access: 'user', response: RetentionPlan },
} as const satisfies Record<string, Route>;
