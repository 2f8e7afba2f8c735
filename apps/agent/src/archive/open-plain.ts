import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { ArchiveError } from './archive-error.js';

/** A link at the end of the path is an error, and a FIFO does not block. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** What open() says of a symbolic link with O_NOFOLLOW, and of one with O_DIRECTORY besides. */
const LINK_CODES: readonly unknown[] = ['ELOOP', 'ENOTDIR', 'EMLINK'];

/**
 * Opens a plain file for reading. Throws ArchiveError for a symbolic link, a device, a FIFO and a folder.
 * Folders above it are trusted.
 */
export async function openPlainFile(path: string): Promise<FileHandle> {
  const handle = await openWithoutLinks(path, READ_FLAGS);
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new ArchiveError('it is no plain file');
}

/** Opens a folder to look things up in. Throws ArchiveError for anything else, a symbolic link to one included. */
export async function openPlainFolder(path: string): Promise<FileHandle> {
  return openWithoutLinks(path, READ_FLAGS | constants.O_DIRECTORY);
}

async function openWithoutLinks(path: string, flags: number): Promise<FileHandle> {
  try {
    return await open(path, flags);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (LINK_CODES.includes(code)) throw new ArchiveError('it is a symbolic link or of another kind than expected');
    throw error;
  }
}

/** A path below an open folder that leads there whatever happens to the folder's name. Linux only. */
export function pathBelow(folder: FileHandle, name: string): string {
  return `/proc/self/fd/${folder.fd}/${name}`;
}
