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
 * For a pool's `onConnect`, and for a connection outside of a pool: ignores its error events, which would end the
 * process if no listener took them. A pool listens to idle connections only, and its `query` to the first error; a
 * second one comes from a write to a server that was just killed. The statement that runs fails anyway.
 */
export function outliveErrors(client: ClientBase): void {
  client.on('error', () => undefined);
}

/** Options of every pool of connections, TypeORM's included. */
export const POOL_OPTIONS = {
  application_name: 'peerlab',
  connectionTimeoutMillis: 15_000,
  keepAlive: true,
  onConnect: outliveErrors,
} as const;
