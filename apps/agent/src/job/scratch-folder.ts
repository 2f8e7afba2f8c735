import { lstat, mkdir, mkdtemp, readFile, readdir, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { orIfAbsent, startTimeOf } from '@peerlab/runtime';
import { removeScratch } from './builder-cache.js';

/** Beside the parts of a build in its folder: who works there. */
const OWNER_FILE = 'owner';

/**
 * From this age on a folder is removed whose owner cannot be looked up: it lives, or lived, among other
 * process ids, as in another container. The longest build takes two hours.
 */
const UNKNOWN_OWNER_MS = 24 * 3600 * 1000;

/** This process among those of its PID namespace: its id, its start time and the namespace. */
async function ownName(): Promise<string> {
  return `${process.pid} ${startTimeOf(process.pid) ?? ''} ${await orIfAbsent(readlink('/proc/self/ns/pid'), '')}`;
}

/** Makes an empty folder for one build; `removeLeftFolders` removes it should this process be killed. */
export async function makeScratchFolder(parent: string): Promise<string> {
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, 'b-'));
  await writeFile(join(folder, OWNER_FILE), await ownName());
  return folder;
}

/** Removes the folders of builds whose agent was killed. Folders of processes that live are left alone. */
export async function removeLeftFolders(parent: string): Promise<void> {
  const [, , namespace] = (await ownName()).split(' ');
  for (const name of await readdir(parent)) {
    const folder = join(parent, name);
    if (await isLeft(folder, namespace ?? '')) await removeScratch(folder);
  }
}

async function isLeft(folder: string, namespace: string): Promise<boolean> {
  const found = await orIfAbsent(lstat(folder), null);
  if (found === null) return false;
  const [pid, started, where] = (await orIfAbsent(readFile(join(folder, OWNER_FILE), 'utf8'), '')).split(' ');
  if (where !== undefined && where !== '' && where === namespace) return startTimeOf(Number(pid)) !== started;
  return Date.now() - found.mtimeMs > UNKNOWN_OWNER_MS;
}
