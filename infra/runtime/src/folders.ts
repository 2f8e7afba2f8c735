import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The folder for data that must survive a reboot (database, disks, logs, tokens): PEERLAB_STATE, or
 * `defaultStateFolder`. An empty variable counts as unset.
 */
export function stateFolder(env: Environment = process.env, uid = process.getuid?.()): string {
  return setValue(env, 'PEERLAB_STATE') ?? defaultStateFolder(env, uid);
}

/** The state folder when PEERLAB_STATE is not set: /var/lib/peerlab for root, the XDG state folder for other users. */
export function defaultStateFolder(env: Environment = process.env, uid = process.getuid?.()): string {
  return uid === 0 ? '/var/lib/peerlab' : xdgFolder(env, 'XDG_STATE_HOME', '.local/state');
}

/** The folder for what can be made again (downloads, images, kernels): PEERLAB_CACHE, or the XDG cache folder. */
export function cacheFolder(env: Environment = process.env): string {
  return setValue(env, 'PEERLAB_CACHE') ?? xdgFolder(env, 'XDG_CACHE_HOME', '.cache');
}

/** As the XDG Base Directory Specification has it: a relative path is ignored. */
function xdgFolder(env: Environment, name: string, below: string): string {
  const base = setValue(env, name);
  const folder = base !== undefined && isAbsolute(base) ? base : join(setValue(env, 'HOME') ?? homedir(), below);
  return join(folder, 'peerlab');
}

function setValue(env: Environment, name: string): string | undefined {
  const value = env[name];
  return value === '' ? undefined : value;
}
