import { ROUTES, type RouteName } from '@peerlab/contracts';
import type { FastifyInstance } from 'fastify';

const MIB = 1024 * 1024;
const DEFAULT_BYTES = 64 * 1024;

/** Bodies larger than the default, in bytes. JSON escapes can double a text. */
const BODY_LIMITS: Partial<Record<RouteName, number>> = {
  submitRun: 13 * MIB,
  checkRun: 13 * MIB,
  registerBundle: 4 * MIB,
  hookGeneric: 9 * MIB,
  /** GitHub cuts its payloads at 25 MB. */
  hookGithub: 26 * MIB,
};

/** Gives every route its body limit. To be called before routes are registered. */
export function limitBodies(fastify: FastifyInstance): void {
  const byPath = new Map(
    Object.entries(BODY_LIMITS).map(([name, bytes]) => {
      const { method, path } = ROUTES[name as RouteName];
      return [`${method} ${path}`, bytes];
    }),
  );
  fastify.addHook('onRoute', (route) => {
    const methods = Array.isArray(route.method) ? route.method : [route.method];
    route.bodyLimit = byPath.get(`${methods[0]} ${route.url}`) ?? DEFAULT_BYTES;
  });
}
