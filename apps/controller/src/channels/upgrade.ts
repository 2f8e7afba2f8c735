import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { log } from '@peerlab/runtime';
import type { AllowedHosts } from '../platform/http/allowed-hosts.js';
import { foreignHost, ProblemError } from '../platform/http/problem.js';

export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void>;

/**
 * Routes WebSocket upgrades to the channel of their path; all others are answered with an HTTP error. An error affects
 * the caller's connection only: an error in a listener would crash the process.
 */
export function routeUpgrades(server: Server, hosts: AllowedHosts, routes: ReadonlyMap<string, UpgradeHandler>): void {
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // A peer that disconnects mid-handshake must not crash the process.
    socket.on('error', () => socket.destroy());
    openChannel(hosts, routes, request, socket, head).catch((error: unknown) => refuse(socket, error));
  });
}

async function openChannel(
  hosts: AllowedHosts,
  routes: ReadonlyMap<string, UpgradeHandler>,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const { host, origin } = request.headers;
  if (!hosts.allows(host)) throw foreignHost(host);
  // Not parsed as a URL: not every request line is one, and a channel has only a path.
  const [path = ''] = (request.url ?? '').split('?', 1);
  const handler = routes.get(path);
  if (handler === undefined) throw new ProblemError(404, 'not-found', 'there is no channel at this path');
  if (!hosts.allowsOrigin(origin, host)) {
    throw new ProblemError(403, 'foreign-origin', 'open the channel from the controller’s own pages', {
      detail: 'behind a proxy, name the host and port that browsers see in PEERLAB_HOSTS',
    });
  }
  await handler(request, socket, head);
}

/** Answers with the problem, or destroys the socket when that fails. Never throws. */
function refuse(socket: Duplex, error: unknown): void {
  try {
    const correlationId = randomUUID();
    if (!(error instanceof ProblemError)) log.error({ err: error, correlationId }, 'upgrade-failed');
    const problem =
      error instanceof ProblemError ? error : new ProblemError(503, 'unavailable', 'try again in a moment');
    refuseUpgrade(socket, problem, correlationId);
  } catch {
    socket.destroy();
  }
}

const REASONS: Record<number, string> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  421: 'Misdirected Request',
  429: 'Too Many Requests',
  503: 'Service Unavailable',
};

/** Answers an upgrade with an HTTP error and JSON, and ends the connection. */
function refuseUpgrade(socket: Duplex, problem: ProblemError, correlationId: string): void {
  const { status, code, message: title, detail, retryAfterSeconds } = problem;
  const body = JSON.stringify({ title, status, code, detail, errors: [], correlationId });
  socket.end(
    [
      `HTTP/1.1 ${status} ${REASONS[status] ?? 'Error'}`,
      'content-type: application/problem+json; charset=utf-8',
      'cache-control: no-store',
      `content-length: ${Buffer.byteLength(body)}`,
      ...(retryAfterSeconds === undefined ? [] : [`retry-after: ${retryAfterSeconds}`]),
      'connection: close',
      '',
      body,
    ].join('\r\n'),
    // A peer that does not read the answer would keep the socket open.
    () => socket.destroy(),
  );
}
