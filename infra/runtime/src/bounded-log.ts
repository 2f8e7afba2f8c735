import { open, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { runProgram } from './child-process.js';

/**
 * Logs of consoles are cut at multiples of this many bytes; agents keep their position in them at the same
 * multiples.
 */
export const CUT_BYTES = 16 << 20;

const TOOL_MS = 120_000;
/** A user's PATH may lack the folders of system tools. */
const SYSTEM_PATH = '/usr/local/sbin:/usr/sbin:/sbin';

/** Name of the file with the offset of the first byte that was not cut from `file`; see `boundLog`. */
export const startFileOf = (file: string): string => `${file}.start`;

/** Offset of the first byte of the log that was not cut; 0 when nothing was. */
export async function logStart(file: string): Promise<number> {
  const start = Number(await readFile(startFileOf(file), 'utf8').catch(() => '0'));
  return Number.isSafeInteger(start) && start > 0 ? start : 0;
}

/**
 * Frees the space of the oldest text when the log takes more than `maxBytes`; between half of that and all of it is
 * kept. A program that has it open continues to write to the same file and offsets stay valid: the file gets a hole at its start. The
 * offset of the first kept byte is written to `<file>.start` *before* the cut, so that a reader that checks it after
 * reading knows whether what it read was complete.
 *
 * On a file system without holes (NFS before 4.2) the file is truncated instead, and readers start over.
 * @returns the range that was cut, null when the log was short enough
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
  if (!(await punchHole(file, toBytes))) {
    await forgetStart(file);
    await truncate(file, 0);
  }
  return { fromBytes, toBytes };
}

async function punchHole(file: string, lengthBytes: number): Promise<boolean> {
  const args = ['--punch-hole', '--offset', '0', '--length', String(lengthBytes), file];
  const env = { LC_ALL: 'C', PATH: `${process.env['PATH'] ?? '/usr/bin:/bin'}:${SYSTEM_PATH}` };
  return runProgram('fallocate', args, { timeoutMs: TOOL_MS, env }).then(
    ({ code }) => code === 0,
    () => false,
  );
}

async function writeStart(file: string, start: number): Promise<void> {
  const path = startFileOf(file);
  await writeFile(`${path}.new`, `${start}\n`);
  await rename(`${path}.new`, path);
}

async function forgetStart(file: string): Promise<void> {
  await rm(startFileOf(file), { force: true });
}

/** Renames a log that no process writes to `<file>.1`, replacing an older one. */
export async function rotateLog(file: string): Promise<void> {
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
