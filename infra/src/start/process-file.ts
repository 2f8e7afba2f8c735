import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Start time of a process in clock ticks since boot (field 22 of /proc/PID/stat), which tells a
 * process from a later one with the same number; null when there is no such process.
 */
export async function startTimeOf(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The command in parentheses may hold spaces, so fields are counted after the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

export async function rememberProcess(file: string, pid: number): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify({ pid, startTime: await startTimeOf(pid) }));
}

export async function forgetProcess(file: string): Promise<void> {
  await rm(file, { force: true });
}

/** The remembered process if it is still running, else null. */
export async function rememberedProcess(file: string): Promise<number | null> {
  try {
    const { pid, startTime } = JSON.parse(await readFile(file, 'utf8')) as { pid: number; startTime: string | null };
    return startTime !== null && (await startTimeOf(pid)) === startTime ? pid : null;
  } catch {
    return null;
  }
}
