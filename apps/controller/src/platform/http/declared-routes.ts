import { ROUTES, type Route, type RouteName } from '@peerlab/contracts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ProblemError } from './problem.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The body stays as it came until its signature was checked. */
    bodyIsSigned?: boolean;
  }
  interface FastifyRequest {
    rawBody?: Buffer;
  }
}

const MIB = 1024 * 1024;
const DEFAULT_BYTES = 64 * 1024;

/** Bodies larger than the default, in bytes. JSON escapes can double a text. */
const BODY_LIMITS: Partial<Record<RouteName, number>> = {
  submitRun: 13 * MIB,
  checkRun: 13 * MIB,
  registerBundle: 4 * MIB,
  /** An mbox of 4 MiB as JSON. */
  hookGeneric: 9 * MIB,
  /** The events that start runs have some ten kilobytes; a push of 2000 commits has a megabyte or two. */
  hookGithub: 4 * MIB,
};

/** The web UI: files that anyone may have. All else has to be a route of the contract. */
const WEB_FILES = '/*';

/**
 * Gives every route its body limit and refuses to start with one that is not declared in the contract, as nothing
 * would say who may call it. To be called before routes are registered.
 * @returns the routes, as they are registered
 */
export function declareRoutes(fastify: FastifyInstance): ReadonlySet<string> {
  const registered = new Set<string>();
  const declared = new Map<string, [string, Route]>(
    Object.entries(ROUTES).map(([name, route]) => [`${route.method} ${route.path}`, [name, route]]),
  );
  fastify.addHook('onRoute', (route) => {
    for (const method of [route.method].flat()) {
      // Fastify answers HEAD with the handler of GET.
      const key = `${method === 'HEAD' ? 'GET' : method} ${route.url}`;
      const [name, { access }] = declared.get(key) ?? [null, { access: 'public' }];
      if (name === null && key !== `GET ${WEB_FILES}`) throw new Error(`${key} is not a route of the contract`);
      registered.add(`${method} ${route.url}`);
      route.bodyLimit = BODY_LIMITS[name as RouteName] ?? DEFAULT_BYTES;
      if (access === 'signature') route.config = { ...route.config, bodyIsSigned: true };
    }
  });
  fastify.addHook('preHandler', async (request) => {
    if (request.routeOptions.config.bodyIsSigned === true) parseWhenAsked(request);
  });
  return registered;
}

type Done = (error: Error | null, body?: unknown) => void;

/** Content type parser of JSON; a signed body is kept as bytes. */
export function jsonReader(fastify: FastifyInstance): (request: FastifyRequest, body: Buffer, done: Done) => void {
  const parse = fastify.getDefaultJsonParser('error', 'error');
  return (request, body, done) => {
    if (request.routeOptions.config.bodyIsSigned === true) done(null);
    else void parse(request, body.toString('utf8'), done);
  };
}

/** A signed body is parsed when it is read, which must be after its signature was checked. */
function parseWhenAsked(request: { body: unknown; rawBody?: Buffer }): void {
  const { rawBody } = request;
  Object.defineProperty(request, 'body', {
    configurable: true,
    get: () => (rawBody === undefined ? undefined : parseBody(rawBody)),
  });
}

/** Throws ProblemError 400. */
function parseBody(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    throw new ProblemError(400, 'bad-request', 'the body is not valid JSON');
  }
}
