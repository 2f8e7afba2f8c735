import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** State folder of `npm start`: PEERLAB_STATE, else /var/lib/peerlab for root, else one below the XDG state folder. */
export function stateFolder(): string {
  const set = process.env['PEERLAB_STATE'];
  if (set !== undefined && set !== '') return set;
  if (process.getuid?.() === 0) return '/var/lib/peerlab';
  return join(process.env['XDG_STATE_HOME'] ?? join(process.env['HOME'] ?? '/', '.local/state'), 'peerlab');
}

/** A user token from the given file, else from PEERLAB_TOKEN, else the one that `npm start` created; null without any. */
export async function findToken(file: string | undefined): Promise<string | null> {
  if (file !== undefined) return (await readFile(file, 'utf8')).trim();
  const set = process.env['PEERLAB_TOKEN'];
  if (set !== undefined && set !== '') return set;
  try {
    return (await readFile(join(stateFolder(), 'user.token'), 'utf8')).trim();
  } catch {
    return null;
  }
}
