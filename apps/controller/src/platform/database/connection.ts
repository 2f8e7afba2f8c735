import type { ConnectionOptions } from 'node:tls';

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
