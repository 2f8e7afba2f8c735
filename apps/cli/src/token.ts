import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where `npm start` keeps what it made: PEERLAB_STATE, /var/lib/peerlab for root, else the XDG state folder. */
export function stateFolder(): string {
  const set = process.env['PEERLAB_STATE'];
  if (set !== undefined && set !== '') return set;
  if (process.getuid?.() === 0) return '/var/lib/peerlab';
  return join(process.env['XDG_STATE_HOME'] ?? join(process.env['HOME'] ?? '/', '.local/state'), 'peerlab');
}

/** A user token: the file given, PEERLAB_TOKEN, or the one `npm start` made; null when there is none. */
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
