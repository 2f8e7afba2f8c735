import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { LIVE_CURSOR_META, type LiveCursor } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { badUrl } from './bad-url.js';
import { ProblemError } from './problem.js';

/** Longest path of a file or page of the web UI, in characters. */
const PATH_MAX = 1000;

/** How long a page waits for its cursor; without one the browser fetches once more. */
const CURSOR_WAIT_MS = 500;
const CURSOR_PLACE = `<meta name="${LIVE_CURSOR_META}" content="`;

/**
 * Serves the built web UI. Its own routes get index.html, with the cursor of the moment it was read. Hashed assets are
 * cached for ever, the rest is revalidated.
 */
export async function serveWebFiles(
  fastify: FastifyInstance,
  webDir: string,
  readCursor: () => Promise<LiveCursor>,
): Promise<void> {
  await fastify.register(fastifyStatic, {
    root: webDir,
    serve: false,
    cacheControl: false,
    // The build wrote FILE.br and FILE.gz beside its assets; where there is none the file itself is sent.
    preCompressed: true,
  });
  fastify.get('/*', async (request, reply) => {
    const path = pathOf(request.url);
    if (path === null) throw badUrl();
    if (path.startsWith('/api/')) throw new ProblemError(404, 'not-found', `there is nothing at ${path}`);
    if (!existsSync(join(webDir, 'index.html'))) {
      throw new ProblemError(404, 'no-web-ui', 'the web UI is not built', {
        detail: 'run "npm run build -w @peerlab/web", or set PEERLAB_WEB to the folder of a built one',
      });
    }
    if (isHashedAsset(path)) {
      reply.header('cache-control', 'public, max-age=31536000, immutable');
      return reply.sendFile(path.slice(1));
    }
    reply.header('cache-control', 'no-cache');
    const file = join(webDir, path);
    const isFile = file.startsWith(`${webDir}/`) && existsSync(file) && statSync(file).isFile();
    if (isFile && path !== '/index.html') return reply.sendFile(path.slice(1));
    const [page, cursor] = await Promise.all([readFile(join(webDir, 'index.html'), 'utf8'), inTime(readCursor)]);
    return reply.type('text/html; charset=utf-8').send(page.replace(CURSOR_PLACE, () => CURSOR_PLACE + cursor));
  });
}

/** Path of a request, decoded; null when it cannot be, or is longer than any of ours. */
export function pathOf(url: string): string | null {
  const [path = '/'] = url.split('?', 1);
  if (path.length > PATH_MAX) return null;
  try {
    return decodeURIComponent(path);
  } catch {
    return null;
  }
}

/** Whether a file's name ends with a digest of its content, as the build names assets: `NAME-DIGEST8.js`. */
export function isHashedAsset(path: string): boolean {
  if (!path.startsWith('/assets/')) return false;
  const dot = path.lastIndexOf('.');
  return path[dot - 9] === '-' && /^[A-Za-z0-9_-]{8}\.[a-z0-9]{1,8}$/.test(path.slice(dot - 8));
}

/** Empty when it cannot be read now. */
async function inTime(readCursor: () => Promise<LiveCursor>): Promise<LiveCursor> {
  const read = readCursor().catch((err: unknown) => {
    log.debug({ err }, 'page-without-cursor');
    return '';
  });
  const over = new AbortController();
  const late = sleep(CURSOR_WAIT_MS, '', { signal: over.signal }).catch(() => '');
  return Promise.race([read, late]).finally(() => over.abort());
}
