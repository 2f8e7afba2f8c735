import { readFile, rename, rm } from 'node:fs/promises';
import { runTool } from './command.js';
import type { MachinePaths } from './definition.js';

/**
 * State of the overlay, which the agent writes into the file `diskState`. `fresh` (no file): no attempt has used it.
 * `used`: an attempt has. `discard`: the next QEMU starts on a new overlay.
 */
export type DiskState = 'fresh' | 'used' | 'discard';

/** A file with any other content counts as `used`: the cost is at most one needless boot. */
export async function readDiskState(file: string): Promise<DiskState> {
  try {
    return (await readFile(file, 'utf8')).trim() === 'discard' ? 'discard' : 'used';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'fresh' : 'used';
  }
}

/**
 * Replaces the overlay with an empty one. The state becomes `fresh` last, so that an interruption causes at most one
 * more replacement.
 * @throws LabError when qemu-img cannot make the overlay
 */
export async function makeFreshOverlay({ disk, overlay, diskState }: MachinePaths): Promise<void> {
  const fresh = `${overlay}.new`;
  await rm(fresh, { force: true });
  await runTool('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', disk, fresh], {
    debianPackage: 'qemu-utils',
  });
  await rename(fresh, overlay);
  await rm(diskState, { force: true });
}
