import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { MachinePaths } from './definition.js';
import { LabError } from './errors.js';

/** sun_path of a UNIX socket holds 108 bytes with the final zero. */
export const SOCKET_PATH_MAX_BYTES = 107;
const LONGEST_SOCKET_NAME = 'console.sock';

export function labDirectory(stateDir: string): string {
  return join(stateDir, 'lab');
}

/**
 * Folder of a machine's sockets: the machine's own folder when its path is short enough for a UNIX socket, else a
 * short folder of this user whose name follows from the state folder.
 */
export function socketDirectory(stateDir: string, name: string, env: NodeJS.ProcessEnv, uid: number): string {
  const own = join(labDirectory(stateDir), name);
  if (Buffer.byteLength(join(own, LONGEST_SOCKET_NAME)) <= SOCKET_PATH_MAX_BYTES) return own;
  const hash = createHash('sha256').update(stateDir).digest('hex').slice(0, 12);
  const runtime = env['XDG_RUNTIME_DIR'];
  const base =
    runtime !== undefined && runtime.startsWith('/') ? join(runtime, `peerlab-${hash}`) : `/tmp/peerlab-${uid}-${hash}`;
  return join(base, name);
}

export function machinePaths(
  stateDir: string,
  name: string,
  env: NodeJS.ProcessEnv = process.env,
  uid: number = process.getuid?.() ?? 0,
): MachinePaths {
  const dir = join(labDirectory(stateDir), name);
  const sockets = socketDirectory(stateDir, name, env, uid);
  const pairSocketOf = (of: string): string => join(socketDirectory(stateDir, of, env, uid), 'pair.sock');
  return {
    dir,
    disk: join(dir, 'disk.raw'),
    overlay: join(dir, 'overlay.qcow2'),
    diskState: join(dir, 'disk.state'),
    deviceMemory: join(dir, 'vram'),
    consoleLog: join(dir, 'console.log'),
    emulatorLog: join(dir, 'qemu.log'),
    processFile: join(dir, 'qemu.json'),
    powerSocket: join(sockets, 'power.sock'),
    labSocket: join(sockets, 'lab.sock'),
    consoleSocket: join(sockets, LONGEST_SOCKET_NAME),
    serialSocket: join(sockets, 'serial.sock'),
    firmwareVariables: join(dir, 'firmware.vars'),
    bmcDir: join(dir, 'bmc'),
    pairSocket: pairSocketOf(name),
    pairSocketOf,
  };
}

/** Creates a folder that only its owner may enter. @throws LabError when another user owns a file of that name */
export async function makePrivateDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const found = await lstat(path);
  if (!found.isDirectory() || (process.getuid !== undefined && found.uid !== process.getuid())) {
    throw new LabError(`${path} belongs to another user`, 'remove it, or set XDG_RUNTIME_DIR to a folder of your own');
  }
  await chmod(path, 0o700);
}
