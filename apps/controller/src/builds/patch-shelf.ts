import { Injectable } from '@nestjs/common';
import { parsePatch, type PatchSummary } from '@peerlab/contracts';
import { ArtifactStore } from './artifact-store.js';

/** Largest file that is read as a patch, in bytes: a series as text may not be larger. */
const PATCH_MAX_BYTES = 8 * 1024 * 1024;
/** Summaries kept in memory, some hundred bytes each. */
const KEPT = 2000;

export type PatchContent = NonNullable<PatchSummary['content']>;

/** Texts of patches by their digest. Agents store each patch they apply as an artifact of its own. */
@Injectable()
export class PatchShelf {
  readonly #store: ArtifactStore;
  /** What a digest stands for never changes. */
  readonly #summaries = new Map<string, PatchContent>();

  constructor(store: ArtifactStore) {
    this.#store = store;
  }

  /** The stored text; null when it is not there or no patch could be so large. */
  async text(sha256: string): Promise<string | null> {
    const found = await this.#store.get(sha256);
    if (found === null) return null;
    if (found.sizeBytes > PATCH_MAX_BYTES) {
      found.content.destroy();
      return null;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of found.content) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString('utf8');
  }

  /** Author, size and diffstat of a patch; `carried` gives texts by digest that are not stored here. */
  async summary(sha256: string, carried: () => ReadonlyMap<string, Buffer>): Promise<PatchContent | null> {
    const isStored = await this.#store.has(sha256);
    const given = isStored ? undefined : carried().get(sha256);
    if (!isStored && given === undefined) return null;
    const known = this.#summaries.get(sha256);
    if (known !== undefined) return known;
    const text = given?.toString('utf8') ?? (await this.text(sha256));
    if (text === null) return null;
    const { author, date, files } = parsePatch(text, { lines: false });
    const content: PatchContent = {
      author,
      date,
      sizeBytes: given?.length ?? Buffer.byteLength(text),
      files: files.map(({ path, added, removed }) => ({ path, added, removed })),
    };
    if (this.#summaries.size >= KEPT) this.#summaries.clear();
    this.#summaries.set(sha256, content);
    return content;
  }
}
