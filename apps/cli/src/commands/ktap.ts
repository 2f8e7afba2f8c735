import { type KtapNode, isAsItShouldBe, readKtap, type KtapTotals } from '@peerlab/contracts';
import type { Answer, Context } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { readLines } from '../lines.js';

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
