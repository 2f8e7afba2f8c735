import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { errorFields, writeLog } from '../platform/logging.js';

export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void>;

/** Leads WebSocket upgrades to the channel that serves the path; everything else gets a 404. */
export function routeUpgrades(server: Server, routes: ReadonlyMap<string, UpgradeHandler>): void {
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // A peer that goes away in the middle of the handshake is no reason to end.
    socket.on('error', () => socket.destroy());
    const handler = routes.get(new URL(request.url ?? '/', 'http://localhost').pathname);
    if (handler === undefined) {
      refuseUpgrade(socket, 404, 'not-found', 'there is no channel at this path');
      return;
    }
    if (!isSameOrigin(request)) {
      refuseUpgrade(socket, 403, 'foreign-origin', 'open the channel from the controller’s own pages');
      return;
    }
    handler(request, socket, head).catch((error: unknown) => {
      writeLog('error', 'an upgrade failed', errorFields(error));
      refuseUpgrade(socket, 503, 'unavailable', 'try again in a moment');
    });
  });
}

const REASONS: Record<number, string> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  429: 'Too Many Requests',
  503: 'Service Unavailable',
};

/** Answers an upgrade with an HTTP error and JSON, and ends the connection. */
export function refuseUpgrade(socket: Duplex, status: number, code: string, title: string): void {
  const body = JSON.stringify({ title, status, code, errors: [], correlationId: 'upgrade' });
  socket.end(
    [
      `HTTP/1.1 ${status} ${REASONS[status] ?? 'Error'}`,
      'content-type: application/problem+json; charset=utf-8',
      `content-length: ${Buffer.byteLength(body)}`,
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}

/** Browsers do not keep foreign pages from opening WebSockets, so the Origin is compared here. */
export function isSameOrigin(request: Pick<IncomingMessage, 'headers'>): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined) return true;
  if (host === undefined || !URL.canParse(origin)) return false;
  const from = new URL(origin);
  if (from.host === host) return true;
  return isLoopback(from.hostname) && isLoopback(new URL(`http://${host}`).hostname);
}

/** A development server of the web UI on the same machine is welcome. */
const isLoopback = (hostname: string): boolean => ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
