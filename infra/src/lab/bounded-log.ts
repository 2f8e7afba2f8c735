import { open, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { runTool } from './command.js';

/**
 * Logs that QEMU itself appends to are cut at multiples of this many bytes from their start; agents keep
 * their place in the console's record at the same multiples.
 */
export const CUT_BYTES = 16 << 20;

/** Where the first byte stands that was not cut away from `file`; see `boundLog`. */
export const startFileOf = (file: string): string => `${file}.start`;

/** First byte of the log that is still there; 0 when nothing was cut away. */
export async function logStart(file: string): Promise<number> {
  const start = Number(await readFile(startFileOf(file), 'utf8').catch(() => '0'));
  return Number.isSafeInteger(start) && start > 0 ? start : 0;
}

/**
 * Gives the space of the oldest text back when the log takes more than `maxBytes`; between half of that
 * and all of it stays. QEMU goes on writing to the same file, and no byte changes its place: the
 * file gets a hole at its start. Where the text begins is written to `<file>.start` *before* it is cut, so that
 * a reader that looks there after it has read knows whether what it read was still whole.
 *
 * A file system without holes (NFS before 4.2) gets an empty file instead, and readers begin anew.
 * @returns the bytes cut away, null when the log was short enough
 */
export async function boundLog(
  file: string,
  maxBytes: number,
  cutBytes = CUT_BYTES,
): Promise<{ fromBytes: number; toBytes: number } | null> {
  const { size } = await stat(file).catch(() => ({ size: 0 }));
  const fromBytes = await logStart(file);
  if (size - fromBytes <= maxBytes) return null;
  const toBytes = Math.floor((size - maxBytes / 2) / cutBytes) * cutBytes;
  if (toBytes <= fromBytes) return null;
  await writeStart(file, toBytes);
  try {
    await runTool('fallocate', ['--punch-hole', '--offset', '0', '--length', String(toBytes), file], {
      debianPackage: 'util-linux',
    });
  } catch {
    await forgetStart(file);
    await truncate(file, 0);
  }
  return { fromBytes, toBytes };
}

async function writeStart(file: string, start: number): Promise<void> {
  const path = startFileOf(file);
  await writeFile(`${path}.new`, `${start}\n`);
  await rename(`${path}.new`, path);
}

async function forgetStart(file: string): Promise<void> {
  await rm(startFileOf(file), { force: true });
}

/** Begins a log anew while nobody writes to it; the old one stays once, under `<file>.1`. */
export async function beginLogAnew(file: string): Promise<void> {
  await rename(file, `${file}.1`);
  await forgetStart(file);
}

/** The last `maxBytes` of a log as text; empty when there is none. */
export async function logTail(file: string, maxBytes: number): Promise<string> {
  const handle = await open(file).catch(() => null);
  if (handle === null) return '';
  try {
    const { size } = await handle.stat();
    const start = Math.max(0, size - maxBytes, await logStart(file));
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - start), 0, size - start, start);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}
