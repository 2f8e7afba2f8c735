import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { ProblemError } from './problem.js';

const CSP = [
  "default-src 'self'",
  "script-src 'self'",
  // Virtualised lists and charts position their rows with inline styles.
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self' ws: wss:",
  "object-src 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "form-action 'self'",
].join('; ');

const HASHED_ASSET = /^\/assets\/.+-[A-Za-z0-9_-]{8,}\.[a-z0-9]+$/;

/**
 * Serves the built web UI with a fall-back to index.html for its own routes. Hashed assets are cached
 * for ever, the rest is revalidated.
 */
export async function serveWebFiles(fastify: FastifyInstance, webDir: string): Promise<void> {
  fastify.addHook('onRequest', async (_request, reply) => {
    reply.header('x-content-type-options', 'nosniff');
    reply.header('referrer-policy', 'same-origin');
    reply.header('content-security-policy', CSP);
  });
  await fastify.register(fastifyStatic, { root: webDir, serve: false, cacheControl: false });
  fastify.get('/*', async (request, reply) => {
    const path = decodeURIComponent(request.url.split('?')[0] ?? '/');
    if (path.startsWith('/api/')) throw new ProblemError(404, 'not-found', `there is nothing at ${path}`);
    if (!existsSync(join(webDir, 'index.html'))) {
      throw new ProblemError(404, 'no-web-ui', 'the web UI is not built', {
        detail: 'run "npm run build -w @peerlab/web", or set PEERLAB_WEB to the folder of a built one',
      });
    }
    if (HASHED_ASSET.test(path)) {
      reply.header('cache-control', 'public, max-age=31536000, immutable');
      return reply.sendFile(path.slice(1));
    }
    reply.header('cache-control', 'no-cache');
    const file = join(webDir, path);
    const isFile = file.startsWith(`${webDir}/`) && existsSync(file) && statSync(file).isFile();
    return reply.sendFile(isFile ? path.slice(1) : 'index.html');
  });
}
