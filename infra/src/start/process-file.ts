import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { startTimeOf } from '@peerlab/runtime';

export async function rememberProcess(file: string, pid: number): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify({ pid, startTime: startTimeOf(pid) }));
}

export async function forgetProcess(file: string): Promise<void> {
  await rm(file, { force: true });
}

/** The remembered process if it is still running, else null. */
export async function rememberedProcess(file: string): Promise<number | null> {
  try {
    const { pid, startTime } = JSON.parse(await readFile(file, 'utf8')) as { pid: number; startTime: string | null };
    return startTime !== null && startTimeOf(pid) === startTime ? pid : null;
  } catch {
    return null;
  }
}
