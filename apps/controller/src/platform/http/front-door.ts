import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ANONYMOUS_BODY_MAX_BYTES } from '../auth/auth.guard.js';
import type { TokenService } from '../auth/token.service.js';
import type { AllowedHosts } from './allowed-hosts.js';
import { foreignHost, ProblemError } from './problem.js';
import { sendProblem } from './problem.filter.js';

const CSP = [
  "default-src 'self'",
  "script-src 'self'",
  // Virtualised lists and charts position their rows with inline styles.
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  // Holds the live channel, too: it has the page's own host and port.
  "connect-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "form-action 'self'",
].join('; ');

/**
 * How long a body that is read into memory may take, in milliseconds: the largest one at 230 kB/s. The request as a
 * whole has the much longer limit of an artifact's upload.
 */
const BODY_MS = 60_000;

/**
 * Checks every request before its body is read: its host has to be one of ours, and a large body needs a token.
 * Answers of the API are not to be stored unless their route says otherwise.
 */
export function guardFrontDoor(
  fastify: FastifyInstance,
  hosts: AllowedHosts,
  tokens: () => TokenService,
  bodyMs = BODY_MS,
): void {
  fastify.addHook('onRequest', async (request, reply) => {
    reply.header('x-content-type-options', 'nosniff');
    reply.header('referrer-policy', 'same-origin');
    reply.header('content-security-policy', CSP);
    if (request.url.startsWith('/api/')) reply.header('cache-control', 'no-store');
    try {
      if (!hosts.allows(request.headers.host)) throw foreignHost(request.headers.host);
      if (!isSmall(request)) await requireToken(request, tokens());
      if (hasBodyForMemory(request)) limitTime(request, bodyMs);
    } catch (error) {
      sendProblem(error, request, reply);
      return reply;
    }
  });
}

/** Whether the request has a body that is read as a whole, and not by its route. */
function hasBodyForMemory({ method, headers, routeOptions }: FastifyRequest): boolean {
  if (method === 'GET' || method === 'HEAD' || isStream(headers) || routeOptions.config.bodyIsSigned === true)
    return false;
  return headers['transfer-encoding'] !== undefined || headers['content-length'] !== undefined;
}

/** Ends the connection when the body has not come in time. */
function limitTime({ raw }: FastifyRequest, bodyMs: number): void {
  const timer = setTimeout(() => raw.destroy(), bodyMs);
  const end = (): void => clearTimeout(timer);
  raw.once('end', end).once('close', end);
}

const isStream = (headers: IncomingHttpHeaders): boolean =>
  headers['content-type']?.startsWith('application/octet-stream') === true;

/** Whether the body needs no token; streams and signed bodies are left to their routes. */
function isSmall({ headers, routeOptions, is404 }: FastifyRequest): boolean {
  if (is404 || isStream(headers) || routeOptions.config.bodyIsSigned === true) return true;
  if (headers['transfer-encoding'] !== undefined) return false;
  return Number(headers['content-length'] ?? 0) <= ANONYMOUS_BODY_MAX_BYTES;
}

async function requireToken({ headers, ip }: FastifyRequest, tokens: TokenService): Promise<void> {
  if ((await tokens.identify(headers.authorization, ip)) !== null) return;
  throw new ProblemError(401, 'unauthorized', 'a body of this size needs a token', {
    detail: `without one, send at most ${ANONYMOUS_BODY_MAX_BYTES / 1024} KiB with a content-length`,
  });
}
