import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Names a folder in which the first test file that needs the web UI leaves its build for the others. */
export const SHARED_BUILD = 'PEERLAB_TEST_WEB_BUILD';

/** Vitest's global set-up: the folder lasts as long as one test run. Workers inherit the environment. */
export default async function setup(): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'peerlab-web-build-'));
  process.env[SHARED_BUILD] = folder;
  return () => rm(folder, { recursive: true, force: true });
}
