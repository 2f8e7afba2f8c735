import { open, type FileHandle } from 'node:fs/promises';
import { BundleManifest, MANIFEST_FILE } from '@peerlab/contracts';
import { readAt, tarEntries, TarProblem } from './tar-entries.js';

/** Largest manifest that is read; the route that registers it takes no larger one. */
const MANIFEST_MAX_BYTES = 4 * 1024 * 1024;

type Manifest = { manifest: BundleManifest } | { problem: string };

/**
 * Reads manifest.json from an uncompressed tar. All entries are scanned, to refuse a second manifest.json, which
 * would overwrite the first one on unpacking. Never throws for any content of the file.
 */
export async function readTarManifest(path: string): Promise<Manifest> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    return await scan(file, size);
  } finally {
    await file.close();
  }
}

async function scan(file: FileHandle, fileBytes: number): Promise<Manifest> {
  let text: string | null = null;
  try {
    for await (const { name, isPlain, at, sizeBytes } of tarEntries(file, fileBytes)) {
      if (name !== MANIFEST_FILE) continue;
      if (text !== null) return { problem: 'the tar has manifest.json twice' };
      if (!isPlain) return { problem: 'manifest.json in the tar is a folder' };
      if (sizeBytes > MANIFEST_MAX_BYTES) return { problem: `manifest.json has more than ${MANIFEST_MAX_BYTES} bytes` };
      text = (await readAt(file, at, sizeBytes)).toString('utf8');
    }
  } catch (error) {
    if (error instanceof TarProblem) return { problem: error.message };
    throw error;
  }
  return text === null ? { problem: 'the tar has no manifest.json at its root' } : parseManifest(text);
}

function parseManifest(text: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: 'manifest.json in the tar is not JSON' };
  }
  const parsed = BundleManifest.safeParse(value);
  if (parsed.success) return { manifest: parsed.data };
  const issue = parsed.error.issues[0];
  return {
    problem: `manifest.json in the tar: ${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'invalid'}`,
  };
}
