import { createHash, randomUUID } from 'node:crypto';
import type { ReadStream, Stats } from 'node:fs';
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Sha256 } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { ProblemError } from '../platform/http/problem.js';

/** Readable by the controller's account and its group, such as that of a backup, and by no other account. */
const FILE_MODE = 0o640;
const FOLDER_MODE = 0o750;
/** The mode bits of all other accounts. */
const OTHERS = 0o007;
/** In the artifact folder: the id that ties the folder to a database, see artifact-folder.ts. */
export const FOLDER_ID_FILE = '.peerlab-artifacts';
/** Folders of the first two digits of digests. */
const PART = /^[0-9a-f]{2}$/;

/**
 * How long a sender may send nothing, in milliseconds. A short network outage is over within this time. Without a
 * limit a client that stops sending would keep an upload and its file open forever.
 */
const UPLOAD_IDLE_MS = 60_000;

/**
 * Files in a folder, named by their SHA-256. The checked digest is the only input that becomes part of a path. A file
 * is absent only when the file system says so (ENOENT); every other error is thrown.
 */
export class ArtifactStore {
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #idleMs: number;

  constructor(folder: string, maxBytes: number, idleMs = UPLOAD_IDLE_MS) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    this.#idleMs = idleMs;
  }

  /**
   * Creates the folder and removes the access of other accounts to it. An older version created world-readable files
   * and folders inside, which this makes unreachable. The mode bits of the group do not change. A folder whose mode
   * this account cannot change is logged.
   */
  async prepare(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: FOLDER_MODE });
    const { mode } = await stat(this.#folder);
    if ((mode & OTHERS) === 0) return;
    try {
      await chmod(this.#folder, mode & 0o7777 & ~OTHERS);
    } catch (err) {
      log.warn({ err, folder: this.#folder }, 'artifacts-readable-by-others');
    }
  }

  /** Where the artifacts are. */
  get folder(): string {
    return this.#folder;
  }

  /** What FOLDER_ID_FILE contains; null when there is no such file. */
  async readFolderId(): Promise<string | null> {
    try {
      return (await readFile(join(this.#folder, FOLDER_ID_FILE), 'utf8')).trim();
    } catch (error) {
      if (isAbsent(error)) return null;
      throw error;
    }
  }

  /** Writes FOLDER_ID_FILE, whole or not at all. */
  async writeFolderId(id: string): Promise<void> {
    const partial = join(this.#folder, `${FOLDER_ID_FILE}.${randomUUID()}`);
    await writeFile(partial, `${id}\n`, { flag: 'wx', mode: FILE_MODE, flush: true });
    await rename(partial, join(this.#folder, FOLDER_ID_FILE));
  }

  /**
   * Stores a stream under its announced digest and returns its size in bytes. No file is left behind when the stream
   * is too large, its digest differs or its sender stops sending. Throws ProblemError 408, 413, 422 or 507.
   */
  async put(sha256: string, content: Readable): Promise<number> {
    const target = this.#pathOf(sha256);
    await mkdir(join(this.#folder, 'incoming'), { recursive: true, mode: FOLDER_MODE });
    await mkdir(join(target, '..'), { recursive: true, mode: FOLDER_MODE });
    const partial = join(this.#folder, 'incoming', randomUUID());
    const hash = createHash('sha256');
    let sizeBytes = 0;
    const maxBytes = this.#maxBytes;
    const idle = setTimeout(() => meter.destroy(stalled(this.#idleMs)), this.#idleMs);
    const meter = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        sizeBytes += chunk.length;
        if (sizeBytes > maxBytes) return done(tooLarge(maxBytes));
        idle.refresh();
        hash.update(chunk);
        done(null, chunk);
      },
    });
    try {
      // Open before the stream can fail: a file that the stream opens by itself may appear after it was removed.
      const file = await open(partial, 'wx', FILE_MODE);
      await pipeline(content, meter, file.createWriteStream({ flush: true }));
      const seen = hash.digest('hex');
      if (seen !== sha256) throw digestMismatch(sha256, seen);
      await rename(partial, target);
      return sizeBytes;
    } catch (error) {
      await rm(partial, { force: true });
      if (isDiskFull(error)) {
        throw new ProblemError(507, 'disk-full', 'the artifact store has no space left', {
          detail: `free space below ${this.#folder}`,
          cause: error,
        });
      }
      throw error;
    } finally {
      clearTimeout(idle);
    }
  }

  /**
   * Opens an artifact for reading; null when it is absent. The caller closes the file.
   * Throws ProblemError 500 when it cannot be read.
   */
  async open(sha256: string): Promise<{ file: FileHandle; sizeBytes: number } | null> {
    const path = this.#pathOf(sha256);
    let file: FileHandle | null = null;
    try {
      file = await open(path, 'r');
      const { size } = await file.stat();
      return { file, sizeBytes: size };
    } catch (error) {
      await file?.close();
      if (isAbsent(error)) return null;
      throw unreadable(path, error);
    }
  }

  /** The content of an artifact; null and errors as `open`. Its file is closed with the stream. */
  async get(sha256: string): Promise<{ content: ReadStream; sizeBytes: number } | null> {
    const opened = await this.open(sha256);
    return opened === null ? null : { content: opened.file.createReadStream(), sizeBytes: opened.sizeBytes };
  }

  /** Path of an artifact, whether or not it exists. */
  pathOf(sha256: string): string {
    return this.#pathOf(sha256);
  }

  /** Whether an artifact is stored. Throws ProblemError 500 when the folder cannot be read. */
  async has(sha256: string): Promise<boolean> {
    const path = this.#pathOf(sha256);
    try {
      return (await statOf(path)) !== null;
    } catch (error) {
      throw unreadable(path, error);
    }
  }

  /** Deletes an artifact, if it exists. */
  async remove(sha256: string): Promise<void> {
    await rm(this.#pathOf(sha256), { force: true });
  }

  /** Artifacts that were stored before a moment, with or without a row in the database. */
  async *storedBefore(moment: Date): AsyncGenerator<{ sha256: string; sizeBytes: number }> {
    for (const part of await namesIn(join(this.#folder, 'sha256'))) {
      if (!PART.test(part)) continue;
      for (const sha256 of await namesIn(join(this.#folder, 'sha256', part))) {
        if (!Sha256.safeParse(sha256).success) continue;
        const found = await statOf(this.#pathOf(sha256));
        if (found !== null && found.mtime < moment) yield { sha256, sizeBytes: found.size };
      }
    }
  }

  /** Deletes partial files that uploads left behind before a moment, because a controller was killed. */
  async removeIncoming(before: Date): Promise<void> {
    const folder = join(this.#folder, 'incoming');
    for (const name of await namesIn(folder)) {
      const found = await statOf(join(folder, name));
      if (found !== null && found.mtime < before) await rm(join(folder, name), { force: true });
    }
  }

  #pathOf(sha256: string): string {
    const checked = Sha256.parse(sha256);
    return join(this.#folder, 'sha256', checked.slice(0, 2), checked);
  }
}

/** Names in a folder; none when the folder is absent. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

/** Size and times of a file; null when it is absent. */
async function statOf(path: string): Promise<Stats | null> {
  try {
    return await stat(path);
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
}

function unreadable(path: string, cause: unknown): ProblemError {
  log.error({ err: cause, path }, 'artifact-store-unreadable');
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'an error';
  return new ProblemError(500, 'artifact-store-unreadable', 'the artifact store cannot be read', {
    detail: `the file system answered ${code}; check the disk and the permissions of the file in the controller's log`,
    cause,
  });
}

const tooLarge = (maxBytes: number): ProblemError =>
  new ProblemError(413, 'too-large', `an artifact may have ${maxBytes} bytes at most`, {
    detail: 'raise PEERLAB_ARTIFACT_MAX_BYTES if it has to be this large',
  });

const stalled = (idleMs: number): ProblemError =>
  new ProblemError(408, 'upload-stalled', `the upload sent nothing for ${idleMs / 1000} s`, {
    detail: 'send it again',
  });

const digestMismatch = (expected: string, seen: string): ProblemError =>
  new ProblemError(422, 'digest-mismatch', 'the content does not have the digest that is in the address', {
    detail: `announced ${expected}, received ${seen}`,
  });

const isAbsent = (error: unknown): boolean => hasCode(error, 'ENOENT');
const isDiskFull = (error: unknown): boolean => hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT');

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
