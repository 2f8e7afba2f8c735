import { createHash } from 'node:crypto';
import { type FileHandle, lstat, opendir } from 'node:fs/promises';
import { ArchiveError, showName } from './archive-error.js';
import { type NameLimits, whyUncleanName } from './clean-name.js';
import { openPlainFile, openPlainFolder, pathBelow } from './open-plain.js';

/** What a folder may hold at most. */
export interface FolderLimits extends NameLimits {
  /** Files and folders. */
  entries: number;
  /** Bytes of one file. */
  fileBytes: number;
  /** Bytes of all files together. */
  totalBytes: number;
}

export interface PlainFile {
  sizeBytes: number;
  sha256: string;
}

export interface PlainFolderOptions {
  limits: FolderLimits;
  /** Why a file or folder of this clean name may not be here; asked before it is opened. */
  refuse?: (name: string, kind: 'file' | 'folder') => string | null;
  /** Files whose content is kept, with the most bytes that they may have. */
  keep?: ReadonlyMap<string, number>;
}

const SPECIAL_BITS = 0o7000;

/**
 * Looks through a folder from an untrusted source: digest and size of every file, by name. Follows no
 * symbolic link, the folder itself and those on the way included. Throws ArchiveError for anything that is
 * not a folder or a plain file with a clean name, one hard link and an ordinary mode, and above a limit.
 * The caller guarantees that no other process writes into the folder meanwhile.
 */
export async function readPlainFolder(
  folder: string,
  options: PlainFolderOptions,
): Promise<{ files: Map<string, PlainFile>; kept: Map<string, Buffer> }> {
  const walk = new FolderWalk(options);
  const root = await openPlainFolder(folder);
  try {
    await walk.enter(root, '');
  } finally {
    await root.close();
  }
  return { files: walk.files, kept: walk.kept };
}

class FolderWalk {
  readonly files = new Map<string, PlainFile>();
  readonly kept = new Map<string, Buffer>();
  #entries = 0;
  #totalBytes = 0;

  readonly #options: PlainFolderOptions;

  constructor(options: PlainFolderOptions) {
    this.#options = options;
  }

  async enter(folder: FileHandle, prefix: string): Promise<void> {
    for (const child of await this.#list(folder)) {
      const name = `${prefix}${child}`;
      const unclean = whyUncleanName(name, this.#options.limits);
      if (unclean !== null) throw new ArchiveError(`${showName(name)} ${unclean}`);
      const path = pathBelow(folder, child);
      // Before it is opened: opening a device can do something already.
      const found = await lstat(path);
      const kind = found.isFile() ? 'file' : found.isDirectory() ? 'folder' : null;
      if (kind === null) throw new ArchiveError(`${showName(name)} is ${describeKind(found)}`);
      const refused = this.#options.refuse?.(name, kind) ?? null;
      if (refused !== null) throw new ArchiveError(refused);
      if (kind === 'file') await this.#readFile(path, name);
      else await this.#enterBelow(path, name);
    }
  }

  /** Names in a folder, sorted, so that the first trouble is always the same one. */
  async #list(folder: FileHandle): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of await opendir(pathBelow(folder, '.'))) {
      this.#entries += 1;
      const { entries } = this.#options.limits;
      if (this.#entries > entries) throw new ArchiveError(`there are more than ${entries} files and folders`);
      names.push(name);
    }
    return names.sort();
  }

  async #enterBelow(path: string, name: string): Promise<void> {
    const below = await openPlainFolder(path);
    try {
      await this.enter(below, `${name}/`);
    } finally {
      await below.close();
    }
  }

  async #readFile(path: string, name: string): Promise<void> {
    const { limits, keep } = this.#options;
    const shown = showName(name);
    const file = await openPlainFile(path);
    try {
      const { size, nlink, mode } = await file.stat();
      if (nlink !== 1) throw new ArchiveError(`${shown} has several hard links`);
      if ((mode & SPECIAL_BITS) !== 0) throw new ArchiveError(`${shown} has a set-user-id, set-group-id or sticky bit`);
      const keptBytes = keep?.get(name);
      const maxBytes = Math.min(limits.fileBytes, keptBytes ?? limits.fileBytes);
      if (size > maxBytes) throw new ArchiveError(`${shown} has more than ${maxBytes} bytes`);
      this.#totalBytes += size;
      if (this.#totalBytes > limits.totalBytes) {
        throw new ArchiveError(`the files have more than ${limits.totalBytes} bytes together`);
      }
      const hash = createHash('sha256');
      const chunks: Buffer[] = [];
      let sizeBytes = 0;
      for await (const chunk of file.createReadStream({ autoClose: false, start: 0 }) as AsyncIterable<Buffer>) {
        sizeBytes += chunk.length;
        if (sizeBytes > size) break;
        hash.update(chunk);
        if (keptBytes !== undefined) chunks.push(chunk);
      }
      if (sizeBytes !== size) throw new ArchiveError(`${shown} changed while it was read`);
      this.files.set(name, { sizeBytes, sha256: hash.digest('hex') });
      if (keptBytes !== undefined) this.kept.set(name, Buffer.concat(chunks));
    } finally {
      await file.close();
    }
  }
}

function describeKind(found: Awaited<ReturnType<typeof lstat>>): string {
  if (found.isSymbolicLink()) return 'a symbolic link';
  if (found.isFIFO()) return 'a FIFO';
  if (found.isSocket()) return 'a socket';
  return 'a device';
}
