import { open, stat } from 'node:fs/promises';

/** What Debian's getty prints on the console when userland is up. */
const PROMPT = ' login: ';
/** A boot writes some ten KiB; a kernel under test that floods its console must not fill our memory. */
const LONGEST_LOOK_BYTES = 8 << 20;

/** Length of the log in bytes; 0 when there is none yet. */
export async function logLength(file: string): Promise<number> {
  return stat(file).then(
    (found) => found.size,
    () => 0,
  );
}

/** Whether a login prompt stands in the console log behind `from` bytes. */
export async function hasLoginPrompt(file: string, from: number): Promise<boolean> {
  const length = await logLength(file);
  // A log that became shorter was begun anew.
  const start = Math.max(length < from ? 0 : from, length - LONGEST_LOOK_BYTES);
  if (length === start) return false;
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length - start), 0, length - start, start);
    return buffer.subarray(0, bytesRead).includes(PROMPT);
  } finally {
    await handle.close();
  }
}
