import type { z } from 'zod';
import type { Access } from '../schema/access.js';

/** What a route takes and answers. */
export interface Route {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH';
  /** With `:name` placeholders, as Fastify and the clients both understand. */
  path: string;
  access: Access;
  /** It may keep the controller and the database busy: each caller gets a share of their time. */
  isHeavy?: true;
  /** A ticket in the query is as good as the user token that it was made with (createTicket). */
  takesTicket?: true;
  params?: z.ZodObject;
  query?: z.ZodObject;
  body?: z.ZodType;
  /** Absent: the answer is not JSON. */
  response?: z.ZodType;
}

/** A call, ready to be sent. */
export interface RouteRequest {
  method: Route['method'];
  /** With its query. */
  path: string;
  /** JSON; null = none. */
  body: string | null;
}

/** The request of a call. @param call `params`, `query` and `body`, as the route takes them */
export function requestTo(route: Route, call: object): RouteRequest {
  const {
    params = {},
    query = {},
    body,
  } = call as { params?: Record<string, string>; query?: Record<string, unknown>; body?: unknown };
  const path = route.path.replace(/:([a-zA-Z0-9]+)/g, (_, key: string) => encodeURIComponent(params[key] ?? ''));
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const search = given
    .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(String(value))}`)
    .join('&');
  return {
    method: route.method,
    path: search === '' ? path : `${path}?${search}`,
    body: body === undefined ? null : JSON.stringify(body),
  };
}
