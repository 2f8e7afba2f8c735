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
 * What every request has to pass before anything of it is read: its host is one of ours, and who sends a large
 * body has a token. Answers of the API are not to be stored unless their route says otherwise.
 */
export function guardFrontDoor(fastify: FastifyInstance, hosts: AllowedHosts, tokens: () => TokenService): void {
  fastify.addHook('onRequest', async (request, reply) => {
    reply.header('x-content-type-options', 'nosniff');
    reply.header('referrer-policy', 'same-origin');
    reply.header('content-security-policy', CSP);
    if (request.url.startsWith('/api/')) reply.header('cache-control', 'no-store');
    try {
      if (!hosts.allows(request.headers.host)) throw foreignHost(request.headers.host);
      if (!isSmall(request)) await requireToken(request, tokens());
    } catch (error) {
      sendProblem(error, request, reply);
      return reply;
    }
  });
}

/** Whether its body may be read from anyone; streams and signed bodies are left to their routes. */
function isSmall({ headers, routeOptions, is404 }: FastifyRequest): boolean {
  const isStream = headers['content-type']?.startsWith('application/octet-stream') === true;
  if (is404 || isStream || routeOptions.config.bodyIsSigned === true) return true;
  if (headers['transfer-encoding'] !== undefined) return false;
  return Number(headers['content-length'] ?? 0) <= ANONYMOUS_BODY_MAX_BYTES;
}

async function requireToken({ headers, ip }: FastifyRequest, tokens: TokenService): Promise<void> {
  if ((await tokens.identify(headers.authorization, ip)) !== null) return;
  throw new ProblemError(401, 'unauthorized', 'a body of this size needs a token', {
    detail: `without one, send at most ${ANONYMOUS_BODY_MAX_BYTES / 1024} KiB with a content-length`,
  });
}
