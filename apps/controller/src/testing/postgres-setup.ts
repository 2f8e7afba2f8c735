import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { migrate } from '../data-source.js';
import { ensurePostgres, stopPostgres } from '../platform/postgres/supervisor.js';

/** The socket's folder; tests clone the migrated database `peerlab` in it. */
declare module 'vitest' {
  interface ProvidedContext {
    postgresSocketDir: string;
  }
}

const FAST = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'max_connections=300'];

/** One throw-away cluster for a whole test run; its database is the migrated template. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Below /tmp itself: as root Postgres runs under an account that may not enter a private TMPDIR.
  const stateDir = await mkdtemp('/tmp/peerlab-test-');
  await chmod(stateDir, 0o755);
  const { address } = await ensurePostgres(stateDir, FAST);
  await migrate(address);
  project.provide('postgresSocketDir', 'socketDir' in address ? address.socketDir : join(stateDir, 'postgres/run'));
  return async () => {
    await stopPostgres(stateDir);
    await rm(stateDir, { recursive: true, force: true });
  };
}
