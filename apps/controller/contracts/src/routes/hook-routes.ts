import { z } from 'zod';
import { DeliveriesQuery, DeliveryKey, DeliveryPage, HookAnswer, HookView, ReportView } from '../schema/hooks.js';
import { Name } from '../schema/ids.js';
import type { Route } from './route.js';

/** Reports that a list has at most, the newest. */
export const REPORTS_SHOWN = 100;

/** Routes of webhooks: what comes in, and what goes back to the forges. */
export const HOOK_ROUTES = {
  /** A delivery to a hook of the hooks file; its signature is checked before its body is parsed. */
  deliverHook: {
    method: 'POST',
    path: '/api/v1/hooks/:hook',
    access: 'signature',
    params: z.object({ hook: Name }),
    response: HookAnswer,
  },
  /** The hooks of the hooks file with their rules, without their secrets. */
  listHooks: { method: 'GET', path: '/api/v1/hooks', access: 'user', response: z.array(HookView) },
  listDeliveries: {
    method: 'GET',
    path: '/api/v1/hooks/deliveries',
    access: 'user',
    query: DeliveriesQuery,
    response: DeliveryPage,
  },
  /** Runs the commit of a fork that is held. 409 when the delivery is not held. */
  approveDelivery: {
    method: 'POST',
    path: '/api/v1/hooks/deliveries/approve',
    access: 'user',
    body: DeliveryKey,
    response: HookAnswer,
  },
  /** Acts upon a delivery again: a new run of what it asked for. 409 when that is not stored. */
  repeatDelivery: {
    method: 'POST',
    path: '/api/v1/hooks/deliveries/repeat',
    access: 'user',
    body: DeliveryKey,
    response: HookAnswer,
  },
  /** The newest reports to forges. */
  listReports: { method: 'GET', path: '/api/v1/hooks/reports', access: 'user', response: z.array(ReportView) },
  /** Sends a report once more, at once. */
  sendReport: {
    method: 'POST',
    path: '/api/v1/hooks/reports/:report/send',
    access: 'user',
    params: z.object({ report: z.uuid() }),
    response: ReportView,
  },
} as const satisfies Record<string, Route>;
