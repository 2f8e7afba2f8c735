import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type GitServer, startGitDaemon } from '@peerlab/agent/fake';
import { baseFolder } from './hostile-series.js';

const run = promisify(execFile);

/** The untouched kernel of the farm as a project publishes it: a bare repository behind `git daemon` on loopback. */
export interface ServedKernel {
  url: string;
  /** Of its only branch, `master`. */
  commit: string;
  server: GitServer;
}

/**
 * Makes the repository, with one commit, and serves it. Takes a minute or two: a hundred thousand files.
 * @param folder an empty one; the repository takes 650 MB there
 */
export async function serveKernel(folder: string, cacheDir: string): Promise<ServedKernel> {
  const name = 'linux.git';
  const repository = join(folder, name);
  await mkdir(repository, { recursive: true });
  const environment = { PATH: process.env['PATH'], HOME: folder, GIT_CONFIG_NOSYSTEM: '1', GIT_DIR: repository };
  const git = async (...args: string[]): Promise<string> => {
    const { stdout } = await run('git', ['-c', 'user.name=A', '-c', 'user.email=a@example.org', ...args], {
      env: environment,
      maxBuffer: 16 * 1024 * 1024,
    });
    return stdout.trim();
  };
  await git('init', '--quiet', '--bare');
  // It is read once: what packs it well would take longer than the farm needs to build it.
  for (const [key, value] of Object.entries({
    'core.looseCompression': '1',
    'pack.compression': '1',
    'pack.window': '0',
  })) {
    await git('config', key, value);
  }
  await git('--work-tree', join(await baseFolder(cacheDir), 'tree'), 'add', '--all', '--force', '.');
  const commit = await git('commit-tree', '-m', 'the tree of a release', await git('write-tree'));
  await git('update-ref', 'refs/heads/master', commit);
  const server = await startGitDaemon(folder);
  return { url: server.url(name), commit, server };
}
