import { open, stat } from 'node:fs/promises';

/** What Debian's getty prints on the console when userland is up. */
const PROMPT = ' login: ';
/** Maximum to read at once: a boot writes some ten KiB, but a kernel under test may flood its console. */
const READ_MAX_BYTES = 8 << 20;

/** Length of the log in bytes; 0 when there is none yet. */
export async function logLength(file: string): Promise<number> {
  return stat(file).then(
    (found) => found.size,
    () => 0,
  );
}

/** Whether the console log contains a login prompt after offset `from`, in bytes. */
export async function hasLoginPrompt(file: string, from: number): Promise<boolean> {
  const length = await logLength(file);
  // A log that became shorter was rotated.
  const start = Math.max(length < from ? 0 : from, length - READ_MAX_BYTES);
  if (length === start) return false;
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length - start), 0, length - start, start);
    return buffer.subarray(0, bytesRead).includes(PROMPT);
  } finally {
    await handle.close();
  }
}
