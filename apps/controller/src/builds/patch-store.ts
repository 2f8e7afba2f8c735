import { Injectable } from '@nestjs/common';
import { parsePatch, type PatchSummary } from '@peerlab/contracts';
import { ArtifactStore } from './artifact-store.js';

/** Largest file that is read as a patch, in bytes: the limit of a series as text. */
const PATCH_MAX_BYTES = 8 * 1024 * 1024;
/** Summaries cached in memory, some hundred bytes each. */
const CACHE_MAX = 2000;

export type PatchContent = NonNullable<PatchSummary['content']>;

/** Reads patches by their digest. Agents upload each patch that they apply as an artifact of its own. */
@Injectable()
export class PatchStore {
  readonly #store: ArtifactStore;
  /** Never stale: the content of a digest does not change. */
  readonly #summaries = new Map<string, PatchContent>();

  constructor(store: ArtifactStore) {
    this.#store = store;
  }

  /** What is stored; null when it is not stored or is too large for a patch. */
  async content(sha256: string): Promise<Buffer | null> {
    const found = await this.#store.get(sha256);
    if (found === null) return null;
    if (found.sizeBytes > PATCH_MAX_BYTES) {
      found.content.destroy();
      return null;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of found.content) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  }

  /**
   * Author, size and diffstat of a patch; null when its text is nowhere.
   * @param carried texts of the patches that the run itself carries, by digest
   */
  async summary(sha256: string, carried: () => ReadonlyMap<string, Buffer>): Promise<PatchContent | null> {
    const isStored = await this.#store.has(sha256);
    const given = isStored ? undefined : carried().get(sha256);
    if (!isStored && given === undefined) return null;
    const known = this.#summaries.get(sha256);
    if (known !== undefined) return known;
    const text = (given ?? (await this.content(sha256)))?.toString('utf8') ?? null;
    if (text === null) return null;
    const { author, date, files } = parsePatch(text, { lines: false });
    const content: PatchContent = {
      author,
      date,
      sizeBytes: given?.length ?? Buffer.byteLength(text),
      files: files.map(({ path, added, removed }) => ({ path, added, removed })),
    };
    if (this.#summaries.size >= CACHE_MAX) this.#summaries.clear();
    this.#summaries.set(sha256, content);
    return content;
  }
}
