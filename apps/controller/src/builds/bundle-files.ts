import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { isBundlePath, type BundleManifest } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import type { Identity } from '../platform/auth/token.service.js';
import { columnsOf, json, nullable, type RowOf } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { notFound, ProblemError } from '../platform/http/problem.js';
import { Artifact, Bundle } from '../schema/builds.js';
import { ArtifactAccess } from './artifact-access.js';
import { ArtifactStore } from './artifact-store.js';
import { findTarFile, TarProblem, type TarEntry } from './tar-entries.js';

type Listed = BundleManifest['files'][string];

const LISTED_FILE = {
  sha256: nullable(columnsOf(Bundle).sha256),
  removed_at: columnsOf(Artifact).removed_at,
  /** What the manifest says of the file; null when it does not list it. */
  listed: nullable(json<Listed>()),
};

/** Single files of kernel bundles, read out of the stored tar. */
@Injectable()
export class BundleFiles {
  readonly #sql: Sql;
  readonly #store: ArtifactStore;
  readonly #access: ArtifactAccess;

  constructor(sql: Sql, store: ArtifactStore, access: ArtifactAccess) {
    this.#sql = sql;
    this.#store = store;
    this.#access = access;
  }

  /**
   * One file of a build's bundle. Only a file that the manifest lists is served, and only when its content has the
   * size and digest that the manifest says.
   * @throws ProblemError 403 for an agent without work that names the bundle, 404 for no such build, bundle or file,
   *   410 when retention removed the bundle, 500 when the stored tar does not have what its manifest says
   */
  async open(caller: Identity, build: string, path: string): Promise<{ content: Readable; sizeBytes: number }> {
    const row = await this.#row(build, path);
    // First, so that the answer does not tell an agent which builds and files exist. No artifact has an empty digest.
    await this.#access.requireRead(caller, row?.sha256 ?? '');
    return this.#open(build, path, row);
  }

  /**
   * The content of one file of a build's bundle, for the controller itself.
   * @throws ProblemError as `open`, and 500 when it has more than `maxBytes`
   */
  async read(build: string, path: string, maxBytes: number): Promise<Buffer> {
    const { content, sizeBytes } = await this.#open(build, path, await this.#row(build, path));
    if (sizeBytes > maxBytes) {
      content.destroy();
      throw new ProblemError(500, 'file-too-large', `${path} of the bundle has ${sizeBytes} bytes`, {
        detail: `at most ${maxBytes} are read`,
      });
    }
    const chunks: Buffer[] = [];
    for await (const chunk of content) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  }

  async #open(
    build: string,
    path: string,
    row: RowOf<typeof LISTED_FILE> | null,
  ): Promise<{ content: Readable; sizeBytes: number }> {
    if (row === null) throw notFound('build', build);
    if (row.sha256 === null) throw notFound('bundle of build', build);
    // Manifests of earlier versions may list any path; these rules keep the name safe for a header and for a disk.
    if (row.listed === null || !isBundlePath(path)) throw notFound('file of the bundle', path);
    if (row.removed_at !== null) {
      throw new ProblemError(
        410,
        'bundle-removed',
        `retention removed this kernel at ${row.removed_at.toISOString()}`,
        {
          detail: 'run the build again to get its files; pin a run to keep its kernels',
        },
      );
    }
    const opened = await this.#store.open(row.sha256);
    if (opened === null) throw notFound('artifact', row.sha256);
    const { file, sizeBytes } = opened;
    try {
      const entry = await findTarFile(file, sizeBytes, path);
      await requireSame(file, entry, row.listed);
      if (entry.sizeBytes > 0) return { content: file.createReadStream(rangeOf(entry)), sizeBytes: entry.sizeBytes };
      await file.close();
      return { content: Readable.from([]), sizeBytes: 0 };
    } catch (error) {
      await file.close();
      throw error instanceof TarProblem ? damaged(row.sha256, error) : error;
    }
  }

  #row(build: string, path: string): Promise<RowOf<typeof LISTED_FILE> | null> {
    return this.#sql.one(
      LISTED_FILE,
      `select u.sha256, a.removed_at, u.manifest -> 'files' -> $2::text as listed
       from build b left join bundle u on u.key = b.bundle_key left join artifact a on a.sha256 = u.sha256
       where b.id = $1`,
      [build, path],
    );
  }
}

/** The bytes of an entry, both ends included. */
const rangeOf = ({ at, sizeBytes }: TarEntry): { start: number; end: number } => ({
  start: at,
  end: at + sizeBytes - 1,
});

/**
 * Reads the file once before it is sent: a kernel with other bytes than its manifest says must not be handed out, and
 * once a download has begun no error can be answered. Throws TarProblem.
 */
async function requireSame(file: FileHandle, entry: TarEntry, { sha256, sizeBytes }: Listed): Promise<void> {
  if (entry.sizeBytes !== sizeBytes) {
    throw new TarProblem(`${entry.name} has ${entry.sizeBytes} bytes, but its manifest says ${sizeBytes}`);
  }
  const hash = createHash('sha256');
  if (sizeBytes > 0) {
    for await (const chunk of file.createReadStream({ ...rangeOf(entry), autoClose: false })) hash.update(chunk);
  }
  if (hash.digest('hex') !== sha256) throw new TarProblem(`${entry.name} does not have the digest of its manifest`);
}

function damaged(sha256: string, cause: TarProblem): ProblemError {
  log.error({ err: cause, sha256 }, 'bundle-damaged');
  return new ProblemError(500, 'bundle-damaged', 'the stored bundle is damaged', {
    detail: `${cause.message}; restore the artifact ${sha256} from a backup, or build the kernel again`,
    cause,
  });
}
