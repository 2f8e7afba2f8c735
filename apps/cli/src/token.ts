import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stateFolder } from '@peerlab/runtime';
import { FileError } from './exit-codes.js';

/**
 * A user token from the given file, else from PEERLAB_TOKEN, else the one that `npm start` created; null without any.
 * Throws a FileError when the given file cannot be read.
 */
export async function findToken(
  file: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | null> {
  if (file !== undefined) {
    try {
      return (await readFile(file, 'utf8')).trim();
    } catch (error) {
      throw new FileError(`--token-file ${file}: cannot be read (${codeOf(error)})`);
    }
  }
  const set = env['PEERLAB_TOKEN'];
  if (set !== undefined && set !== '') return set;
  try {
    return (await readFile(join(stateFolder(env), 'user.token'), 'utf8')).trim();
  } catch {
    return null;
  }
}

/** The system's short name of an error, such as ENOENT. */
export function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error) return String(error.code);
  return error instanceof Error ? error.message : String(error);
}
