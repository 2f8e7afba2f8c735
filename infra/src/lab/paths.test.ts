import { chmod, mkdtemp, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LabError } from './errors.js';
import { machinePaths, makePrivateDirectory, SOCKET_PATH_MAX_BYTES, socketDirectory } from './paths.js';

describe('socketDirectory', () => {
  test('is the machine folder while its sockets stay short enough', () => {
    expect(socketDirectory('/var/lib/peerlab', 'v-switch', {}, 0)).toBe('/var/lib/peerlab/lab/v-switch');
  });

  test.each([
    [{}, '/tmp/peerlab-1000-'],
    [{ XDG_RUNTIME_DIR: '/run/user/1000' }, '/run/user/1000/peerlab-'],
  ])('moves to a short folder for a long state path (%o)', (env, start) => {
    const long = `/home/somebody/${'deep/'.repeat(20)}state`;
    const paths = machinePaths(long, 'v-intel-roots', env, 1000);
    for (const socket of [paths.powerSocket, paths.labSocket, paths.consoleSocket]) {
      expect(socket.startsWith(start)).toBe(true);
      expect(Buffer.byteLength(socket)).toBeLessThanOrEqual(SOCKET_PATH_MAX_BYTES);
    }
    expect(paths.disk.startsWith(long)).toBe(true);
  });

  test('counts bytes, not characters, and holds exactly at the limit', () => {
    const socketOf = (state: string): string => join(socketDirectory(state, 'm', {}, 1), 'console.sock');
    const fixed = Buffer.byteLength('/lab/m/console.sock');
    const longest = `/${'ä'.repeat((SOCKET_PATH_MAX_BYTES - fixed - 2) / 2)}x`;
    expect(Buffer.byteLength(socketOf(longest))).toBe(SOCKET_PATH_MAX_BYTES);
    expect(socketOf(longest).startsWith(longest)).toBe(true);
    expect(socketOf(`${longest}x`).startsWith('/tmp/')).toBe(true);
  });

  test('differs between state folders', () => {
    const long = 'x'.repeat(100);
    expect(socketDirectory(`/${long}/a`, 'm', {}, 1)).not.toBe(socketDirectory(`/${long}/b`, 'm', {}, 1));
  });
});

describe('makePrivateDirectory', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'peerlab-paths-'));
  });
  afterEach(async () => rm(folder, { recursive: true }));

  test('closes a folder that was open', async () => {
    await chmod(folder, 0o755);
    await makePrivateDirectory(folder);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
  });

  test('refuses a link in its place', async () => {
    const link = join(folder, 'link');
    await symlink(tmpdir(), link);
    await expect(makePrivateDirectory(link)).rejects.toBeInstanceOf(LabError);
  });
});
