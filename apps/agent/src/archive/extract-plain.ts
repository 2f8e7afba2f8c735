import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ArchiveError, showName } from './archive-error.js';
import { openPlainFile } from './open-plain.js';
import { type ArchiveEntry, type ArchiveLimits, readArchive } from './read-archive.js';

/** A file that an archive has to hold, of a known content or of a limited size. */
export type ExpectedFile = ({ sizeBytes: number; sha256: string } | { maxBytes: number }) & {
  /** Gives it the mode 0755 instead of 0644. */
  executable?: boolean;
};

const FILE_MODE = 0o644;
const PROGRAM_MODE = 0o755;
const FOLDER_MODE = 0o755;

/** Creates and never opens what is there; follows no link. */
const WRITE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Unpacks a tar archive into a folder that it makes. Only files that are expected are written, each with its
 * expected size and digest and with a mode of ours; every one of them has to be there. Throws ArchiveError
 * when the archive holds anything else, and leaves no folder behind then. Messages never tell a true digest
 * or content, so that the author of an archive learns nothing about files from them.
 * @param folder must not exist; the folder above it is writable for this process alone
 */
export async function extractPlain(
  tarFile: string,
  folder: string,
  expected: ReadonlyMap<string, ExpectedFile>,
  limits: ArchiveLimits,
  signal?: AbortSignal,
): Promise<void> {
  await mkdir(folder, { mode: FOLDER_MODE });
  try {
    const archive = await openPlainFile(tarFile);
    try {
      await extractInto(archive, folder, expected, limits, signal);
    } finally {
      await archive.close();
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function extractInto(
  archive: FileHandle,
  folder: string,
  expected: ReadonlyMap<string, ExpectedFile>,
  limits: ArchiveLimits,
  signal: AbortSignal | undefined,
): Promise<void> {
  const folders = foldersOf(expected.keys());
  for (const name of folders) await mkdir(join(folder, name), { mode: FOLDER_MODE });
  const missing = new Set(expected.keys());
  const stream = archive.createReadStream({ autoClose: false, start: 0 }) as AsyncIterable<Buffer>;
  for await (const entry of readArchive(stream, limits)) {
    signal?.throwIfAborted();
    if (entry.kind === 'folder') {
      if (!folders.has(entry.name)) throw new ArchiveError(`folder ${showName(entry.name)} is not expected`);
      continue;
    }
    const wanted = expected.get(entry.name);
    if (wanted === undefined) throw new ArchiveError(`file ${showName(entry.name)} is not expected`);
    await writeEntry(entry, join(folder, entry.name), wanted);
    missing.delete(entry.name);
  }
  const [first] = missing;
  if (first !== undefined) throw new ArchiveError(`file ${showName(first)} is missing`);
}

/** The folders that the files lie in, parents first. */
function foldersOf(names: Iterable<string>): Set<string> {
  const folders = new Set<string>();
  for (const name of names) {
    for (let end = name.indexOf('/'); end !== -1; end = name.indexOf('/', end + 1)) folders.add(name.slice(0, end));
  }
  return folders;
}

async function writeEntry(entry: ArchiveEntry, path: string, wanted: ExpectedFile): Promise<void> {
  const shown = showName(entry.name);
  const maxBytes = 'maxBytes' in wanted ? wanted.maxBytes : wanted.sizeBytes;
  if (entry.sizeBytes > maxBytes) throw new ArchiveError(`file ${shown} is larger than expected`);
  if ('sizeBytes' in wanted && entry.sizeBytes < wanted.sizeBytes) {
    throw new ArchiveError(`file ${shown} is smaller than expected`);
  }
  const hash = createHash('sha256');
  const mode = wanted.executable === true ? PROGRAM_MODE : FILE_MODE;
  const file = await open(path, WRITE_FLAGS, mode);
  try {
    let bytes = 0;
    for await (const chunk of entry.content()) {
      bytes += chunk.length;
      // The reader hands out what the header says; a byte more would be a bug of ours that must not reach the disk.
      if (bytes > maxBytes) throw new ArchiveError(`file ${shown} is larger than expected`);
      hash.update(chunk);
      await writeAll(file, chunk);
    }
    // The process's umask may have taken bits away.
    await file.chmod(mode);
  } finally {
    await file.close();
  }
  if ('sha256' in wanted && hash.digest('hex') !== wanted.sha256) {
    throw new ArchiveError(`file ${shown} has another digest than expected`);
  }
}

/** A write may take fewer bytes than it was given. */
async function writeAll(file: FileHandle, chunk: Buffer): Promise<void> {
  for (let rest = chunk; rest.length > 0; ) {
    const { bytesWritten } = await file.write(rest);
    rest = rest.subarray(bytesWritten);
  }
}
