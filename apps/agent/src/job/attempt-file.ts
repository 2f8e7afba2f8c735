import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FARM_SUITE } from '@peerlab/contracts';
import type { AttemptContext } from './attempt-context.js';

/** Stores bytes with the controller. Resolves to their digest. */
export async function storeContent(context: AttemptContext, content: Buffer, signal = context.signal): Promise<string> {
  const sha256 = createHash('sha256').update(content).digest('hex');
  const scratch = await mkdtemp(join(tmpdir(), 'peerlab-file-'));
  try {
    const local = join(scratch, 'content');
    await writeFile(local, content);
    await context.bundles.upload(sha256, local, content.length, signal);
    return sha256;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Stores what the farm itself found out as a file of the attempt. Sent again it is the same file. */
export async function storeFarmFile(
  context: AttemptContext,
  name: string,
  content: Buffer,
  signal = context.signal,
): Promise<void> {
  const sha256 = await storeContent(context, content, signal);
  context.emit({ type: 'file', file: { suite: FARM_SUITE, name, sha256, sizeBytes: content.length } });
}
