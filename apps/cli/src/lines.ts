import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { FileError } from './exit-codes.js';
import { codeOf } from './token.js';

/** Largest file that is read, in bytes: the output of a whole kselftest run has a few megabytes. */
const FILE_MAX_BYTES = 256 * 1024 * 1024;

/** The lines of a file, `-` being standard input. */
export async function readLines(file: string, stdin: AsyncIterable<unknown>): Promise<string[]> {
  const input = file === '-' ? Readable.from(stdin, { objectMode: false }) : createReadStream(file);
  const lines: string[] = [];
  let bytes = 0;
  input.on('data', (piece: Buffer | string) => {
    bytes += piece.length;
    if (bytes > FILE_MAX_BYTES)
      input.destroy(new FileError(`${file}: larger than ${FILE_MAX_BYTES / 1024 / 1024} MiB`));
  });
  const failed = new Promise<never>((_, reject) => input.once('error', reject));
  try {
    const read = (async () => {
      for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) lines.push(line);
    })();
    await Promise.race([read, failed]);
  } catch (error) {
    throw error instanceof FileError ? error : new FileError(`${file}: cannot be read (${codeOf(error)})`);
  }
  return lines;
}
