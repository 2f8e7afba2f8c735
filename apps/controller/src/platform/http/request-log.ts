import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { log } from '@peerlab/runtime';
import { callerName } from '../auth/auth.guard.js';
import type { Metrics } from '../metrics/metrics.js';

/** Requests that take longer are logged whatever they do, in milliseconds. */
const SLOW_MS = 1000;
/** The route of a request that no route takes; its path is the sender's. */
const UNMATCHED = 'unmatched';

/**
 * Measures and logs every request when it is answered. Changes and slow requests are logged at `info`, the others at
 * `debug`. The line has the pattern of the route and not the address that was asked for: that could hold secrets.
 */
export function logRequests(fastify: FastifyInstance, metrics: Metrics): void {
  const durations = metrics.duration('http_request_seconds', 'Time until a request was answered.', [
    'method',
    'route',
    'status',
  ]);
  fastify.addHook('onResponse', async (request, reply) => {
    const { method } = request;
    const route = routeOf(request);
    durations.observe({ method, route, status: String(reply.statusCode) }, reply.elapsedTime / 1000);
    log[levelOf(request, reply)](
      {
        correlationId: request.id,
        method,
        route,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
        caller: callerName(request),
      },
      'request',
    );
  });
}

const routeOf = ({ is404, routeOptions }: FastifyRequest): string =>
  is404 ? UNMATCHED : (routeOptions.url ?? UNMATCHED);

function levelOf({ method }: FastifyRequest, { elapsedTime }: FastifyReply): 'info' | 'debug' {
  const isRead = method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
  return isRead && elapsedTime < SLOW_MS ? 'debug' : 'info';
}
