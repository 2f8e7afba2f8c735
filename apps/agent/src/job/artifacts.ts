import type { BundleManifest } from '@peerlab/contracts';

/** The controller's store of content-addressed files, as jobs see it. */
export interface Artifacts {
  /**
   * Writes the artifact to `path` and checks its digest; throws on a mismatch and leaves no file.
   * @param maxBytes a longer one is refused; without it the limit is that of the largest bundle
   */
  download(sha256: string, path: string, signal?: AbortSignal, maxBytes?: number): Promise<void>;
  upload(sha256: string, path: string, sizeBytes: number, signal?: AbortSignal): Promise<void>;
  /** The stored bundle with this content key, or null; `missingPatches` are digests whose text is not stored. */
  findBundle(
    key: string,
    signal?: AbortSignal,
  ): Promise<{
    manifest: BundleManifest;
    bundle: { sha256: string; sizeBytes: number };
    missingPatches: string[];
  } | null>;
}
