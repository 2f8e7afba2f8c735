import { ROUTES, type RouteName } from '@peerlab/contracts';
import type { FastifyInstance } from 'fastify';

const MIB = 1024 * 1024;
const DEFAULT_BYTES = 64 * 1024;

/** Bodies larger than the default, in bytes. JSON escapes can double a text. */
const BODY_LIMITS: Partial<Record<RouteName, number>> = {
  submitRun: 13 * MIB,
  checkRun: 13 * MIB,
  registerBundle: 4 * MIB,
};

/** Routes that read their body themselves, because who sent it has to be known before it is parsed. */
const UNPARSED: readonly RouteName[] = ['deliverHook'];

/**
 * Gives every route its body limit, and leaves the bodies of some to their handlers, which limit them. To be
 * called before routes are registered.
 */
export function limitBodies(fastify: FastifyInstance): void {
  const byPath = new Map(
    Object.entries(BODY_LIMITS).map(([name, bytes]) => {
      const { method, path } = ROUTES[name as RouteName];
      return [`${method} ${path}`, bytes];
    }),
  );
  const unparsed = new Set(UNPARSED.map((name) => `${ROUTES[name].method} ${ROUTES[name].path}`));
  fastify.addHook('onRoute', (route) => {
    const methods = Array.isArray(route.method) ? route.method : [route.method];
    const place = `${methods[0]} ${route.url}`;
    route.bodyLimit = byPath.get(place) ?? DEFAULT_BYTES;
    // The parser of this type leaves the stream alone.
    if (unparsed.has(place)) {
      route.onRequest = (request, _reply, done) => {
        request.raw.headers['content-type'] = 'application/octet-stream';
        done();
      };
    }
  });
}
