import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { type KtapNode, isAsItShouldBe, readKtap, type KtapTotals } from '@peerlab/contracts';
import type { Answer, Context } from '../command.js';
import { EXIT, FileError } from '../exit-codes.js';
import { codeOf } from '../token.js';

/** Largest file that is read, in bytes: the output of a whole kselftest run has a few megabytes. */
const FILE_MAX_BYTES = 256 * 1024 * 1024;

/**
 * Reads KTAP or TAP from a file, `-` being standard input, as a tree with totals counted as the kernel's parser does.
 * The exit code is that of findings unless everything passed or was skipped.
 */
export async function showKtap({ stdin }: Context, file: string): Promise<Answer> {
  const { tree, totals } = readKtap(await readLines(file, stdin));
  return {
    data: { tree, totals },
    text: [...outline(tree), totalsText(totals)].join('\n'),
    exitCode: isAsItShouldBe(tree.status) ? EXIT.done : EXIT.findings,
  };
}

async function readLines(file: string, stdin: AsyncIterable<unknown>): Promise<string[]> {
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

/** Each test on a line of its own, sub-tests indented, what is wrong with it below it. */
function outline(node: KtapNode, indent = ''): string[] {
  const notes = [...node.errors, ...node.warnings].map((text) => `${indent}  ! ${text}`);
  const below = [...node.children, ...node.inner].flatMap((child) =>
    outline(child, node.path === '' ? '' : `${indent}  `),
  );
  if (node.path === '') return [...below, ...notes];
  const name = node.name === '' ? `test ${node.number ?? ''}`.trim() : node.name;
  const why = node.diagnostic === null ? '' : `: ${node.diagnostic}`;
  return [`${indent}${node.status.padEnd(7)} ${name}${why}`, ...notes, ...below];
}

const totalsText = (totals: KtapTotals): string =>
  Object.entries(totals)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');
