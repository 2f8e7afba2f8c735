import { cp, mkdir, readdir, readlink, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, relative } from 'node:path';
import { orIfAbsent } from '@peerlab/runtime';
import { cleanText } from '@peerlab/contracts';
import { messageOf } from '../error-message.js';

/** Longest name of a file that a message has, in characters. */
const NAME_MAX = 200;

/**
 * Copies the out-of-tree drivers of a lab, each by itself and with its links. One that cannot be copied, or has what would lead a build
 * out of its folder, is left out.
 * @param from kernel/drivers, which may be absent
 * @param to is made
 * @returns by the name of its folder what is wrong with each that was left out
 */
export async function copyDrivers(from: string, to: string): Promise<Map<string, string>> {
  await mkdir(to);
  const wrong = new Map<string, string>();
  for (const name of await orIfAbsent(readdir(from), [])) {
    const folder = join(from, name);
    try {
      // The folder itself may be a link: the lab put it there by name.
      const root = await realpath(folder);
      if (!(await stat(root)).isDirectory()) continue;
      const problem = await problemOf(root);
      if (problem === null) await cp(root, join(to, name), { recursive: true, verbatimSymlinks: true });
      else wrong.set(name, problem);
    } catch (error) {
      wrong.set(name, `its folder cannot be copied: ${messageOf(error)}`);
    }
  }
  return wrong;
}

/** Builds of strangers' kernels read a driver, in a sandbox that shows nothing else of this computer. */
async function problemOf(root: string): Promise<string | null> {
  for (const entry of await readdir(root, { withFileTypes: true, recursive: true })) {
    if (entry.isFile() || entry.isDirectory()) continue;
    const path = join(entry.parentPath, entry.name);
    const shown = cleanText(relative(root, path), NAME_MAX);
    if (!entry.isSymbolicLink()) return `${shown} is neither a file nor a folder: remove it`;
    const target = await readlink(path);
    const end = await realpath(path).catch(() => null);
    const isInside = end !== null && !isAbsolute(target) && !/^\.\.(?:\/|$)/.test(relative(root, end));
    if (!isInside) return `${shown} is a link to ${cleanText(target, NAME_MAX)}, which is not in its folder: remove it`;
  }
  return null;
}
