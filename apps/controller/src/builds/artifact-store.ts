import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream, type ReadStream } from 'node:fs';
import { chmod, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Sha256 } from '@peerlab/contracts';
import { ProblemError } from '../platform/http/problem.js';
import { errorFields, writeLog } from '../platform/logging.js';

/** For this account and its group, such as that of a backup; kernels and patches are for no one else. */
const FILE_MODE = 0o640;
const FOLDER_MODE = 0o750;
/** Bits of a mode for all other accounts. */
const OTHERS = 0o007;

/**
 * How long a sender may send nothing, in milliseconds. A network that lost its packets is back within this
 * time; without a limit a client that stops would hold an upload and its file open for ever.
 */
const UPLOAD_IDLE_MS = 60_000;

/**
 * Files named by their SHA-256 in a folder. The checked digest is the only thing from outside that
 * becomes part of a path.
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
   * Makes the folder, and shuts other accounts out of it: an older version made files and folders in it that
   * everybody may read, and they are out of reach behind this one. What the group may do stays as it is. A folder
   * whose mode this account may not change is logged.
   */
  async prepare(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: FOLDER_MODE });
    const { mode } = await stat(this.#folder);
    if ((mode & OTHERS) === 0) return;
    try {
      await chmod(this.#folder, mode & 0o7777 & ~OTHERS);
    } catch (error) {
      writeLog('warn', 'artifacts-readable-by-others', { folder: this.#folder, ...errorFields(error) });
    }
  }

  /**
   * Stores a stream under its announced digest and returns its size in bytes. Nothing stays behind
   * when it is too large, its digest differs or its sender stops sending.
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
      await pipeline(content, meter, createWriteStream(partial, { flags: 'wx', mode: FILE_MODE }));
      const seen = hash.digest('hex');
      if (seen !== sha256) throw digestMismatch(sha256, seen);
      const file = await open(partial, 'r+');
      try {
        await file.sync();
      } finally {
        await file.close();
      }
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

  /** Opens an artifact for reading; null when it is not there. */
  async get(sha256: string): Promise<{ content: ReadStream; sizeBytes: number } | null> {
    const path = this.#pathOf(sha256);
    const found = await stat(path).catch(() => null);
    return found === null ? null : { content: createReadStream(path), sizeBytes: found.size };
  }

  /** Where an artifact lies, there or not. */
  pathOf(sha256: string): string {
    return this.#pathOf(sha256);
  }

  async has(sha256: string): Promise<boolean> {
    return stat(this.#pathOf(sha256)).then(
      () => true,
      () => false,
    );
  }

  /** Deletes an artifact; fine when it is not there. */
  async remove(sha256: string): Promise<void> {
    await rm(this.#pathOf(sha256), { force: true });
  }

  /** Artifacts that were stored before a moment, whatever the database says of them. */
  async *storedBefore(moment: Date): AsyncGenerator<{ sha256: string; sizeBytes: number }> {
    for (const part of await namesIn(join(this.#folder, 'sha256'))) {
      for (const sha256 of await namesIn(join(this.#folder, 'sha256', part))) {
        if (!Sha256.safeParse(sha256).success) continue;
        const found = await stat(this.#pathOf(sha256)).catch(() => null);
        if (found !== null && found.mtime < moment) yield { sha256, sizeBytes: found.size };
      }
    }
  }

  /** Deletes what is left of uploads that ended without an end before a moment. */
  async removeIncoming(before: Date): Promise<void> {
    const folder = join(this.#folder, 'incoming');
    for (const name of await namesIn(folder)) {
      const found = await stat(join(folder, name)).catch(() => null);
      if (found !== null && found.mtime < before) await rm(join(folder, name), { force: true });
    }
  }

  #pathOf(sha256: string): string {
    const checked = Sha256.parse(sha256);
    return join(this.#folder, 'sha256', checked.slice(0, 2), checked);
  }
}

/** Names in a folder; none when it is not there. */
const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);

const tooLarge = (maxBytes: number): ProblemError =>
  new ProblemError(413, 'too-large', `an artifact may have ${maxBytes} bytes at most`, {
    detail: 'raise PEERLAB_ARTIFACT_MAX_BYTES if it has to be this large',
  });

const stalled = (idleMs: number): ProblemError =>
  new ProblemError(408, 'upload-stalled', `the upload sent nothing for ${idleMs / 1000} s`, {
    detail: 'send it again',
  });

const digestMismatch = (expected: string, seen: string): ProblemError =>
  new ProblemError(422, 'digest-mismatch', 'the content does not have the digest it was announced with', {
    detail: `announced ${expected}, received ${seen}`,
  });

const isDiskFull = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOSPC';
