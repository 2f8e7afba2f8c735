import { readFile, rename, rm } from 'node:fs/promises';
import { runTool } from './command.js';
import type { MachinePaths } from './definition.js';

/**
 * What the agent says about the overlay, in the file `diskState`. No file: nothing of a submission was
 * ever on it. `used`: an attempt has been there. `discard`: the next QEMU starts on a fresh one.
 */
export type DiskState = 'fresh' | 'used' | 'discard';

/** A file that cannot be read as one of the states counts as `used`: at worst a boot too many. */
export async function readDiskState(file: string): Promise<DiskState> {
  try {
    return (await readFile(file, 'utf8')).trim() === 'discard' ? 'discard' : 'used';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'fresh' : 'used';
  }
}

/**
 * Throws away all that was written to the machine's disk. The old overlay is gone before the state says
 * `fresh`, so that an end in the middle is at worst a disk that is discarded once more.
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
