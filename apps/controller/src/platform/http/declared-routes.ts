import { ROUTES, type Route, type RouteName } from '@peerlab/contracts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ProblemError } from './problem.js';
import { sendProblem } from './problem.filter.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route reads its body itself, and checks the signature before it parses it. */
    bodyIsSigned?: boolean;
  }
}

const MIB = 1024 * 1024;
const DEFAULT_BYTES = 64 * 1024;

/** Bodies larger than the default, in bytes. JSON escapes can double a text. */
const BODY_LIMITS: Partial<Record<RouteName, number>> = {
  submitRun: 13 * MIB,
  checkRun: 13 * MIB,
  registerBundle: 4 * MIB,
};

/** Routes that read their body as a stream. */
const STREAM_ROUTES: ReadonlySet<string> = new Set<RouteName>(['putArtifact']);
const STREAM_TYPE = 'application/octet-stream';

/** The web UI: files that everyone may read. Everything else has to be a route of the contract. */
const WEB_FILES = '/*';

/**
 * Gives every route its body limit and refuses to start with one that is not declared in the contract, since nothing
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
      const [name, declaration] = declared.get(key) ?? [null, null];
      if (declaration === null && key !== `GET ${WEB_FILES}`) throw new Error(`${key} is not a route of the contract`);
      registered.add(`${method} ${route.url}`);
      route.bodyLimit = BODY_LIMITS[name as RouteName] ?? DEFAULT_BYTES;
      // The sender has to be known before its body is parsed: the parser of this type leaves the stream to the
      // handler, which limits it.
      if (declaration?.access === 'signature') {
        route.config = { ...route.config, bodyIsSigned: true };
        route.onRequest = (request, _reply, done) => {
          request.raw.headers['content-type'] = STREAM_TYPE;
          done();
        };
      }
      if (name !== null && STREAM_ROUTES.has(name)) route.onRequest = requireStream;
    }
  });
  return registered;
}

/** Refuses a body of another type before a parser reads it: the route would see the rest of it, mostly nothing. */
function requireStream(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  const [type = ''] = (request.headers['content-type'] ?? '').split(';', 1);
  if (type.trim().toLowerCase() === STREAM_TYPE) return done();
  const problem = new ProblemError(415, 'unsupported-media-type', `send the file as ${STREAM_TYPE}`, {
    detail: `the request has ${type === '' ? 'no content type' : 'another content type'}; with curl: -T FILE -H "content-type: ${STREAM_TYPE}"`,
  });
  sendProblem(problem, request, reply);
}
