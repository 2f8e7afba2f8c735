import type { ConnectionOptions } from 'node:tls';
import type { ClientBase } from 'pg';

/** How to reach Postgres: a URL, or a socket folder of the embedded one. */
export type DatabaseAddress = { url: string } | { socketDir: string; port: number; user: string; database: string };

/** The form that `pg` takes. */
export function pgOptions(address: DatabaseAddress): {
  connectionString?: string;
  host?: string;
  port?: number;
  user?: string;
  database?: string;
  ssl?: ConnectionOptions;
} {
  if ('url' in address) return { connectionString: address.url };
  return { host: address.socketDir, port: address.port, user: address.user, database: address.database };
}

/** The form that TypeORM's DataSource takes. */
export function typeormOptions(
  address: DatabaseAddress,
): { url: string } | { host: string; port: number; username: string; database: string } {
  if ('url' in address) return { url: address.url };
  return { host: address.socketDir, port: address.port, username: address.user, database: address.database };
}

/**
 * For a pool's `onConnect`, and for a connection of one's own: somebody listens to it as long as it lives. A pool
 * does while it is idle, and its `query` to a first error; another one, such as that of a write to a server that
 * was just killed, would end the process. Whoever uses the connection hears of it by the statement that fails.
 */
export function outliveErrors(client: ClientBase): void {
  client.on('error', () => undefined);
}

/** Of every pool of connections, TypeORM's included. */
export const POOL_OPTIONS = {
  application_name: 'peerlab',
  connectionTimeoutMillis: 15_000,
  keepAlive: true,
  onConnect: outliveErrors,
} as const;
