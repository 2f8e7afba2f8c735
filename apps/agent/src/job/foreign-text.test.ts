import {
  CrashWatch,
  droppedMessages,
  parseKtapLine,
  plainText,
  readKernelAlarm,
  storableLines,
} from '@peerlab/contracts';
import { growthOf } from '@peerlab/contracts/testing';
import { describe, expect, it } from 'vitest';
import { parseConfigSpace, parseInventory } from '../inventory/parse.js';
import { output, purposeOf, quote } from '../machine/command.js';
import { createGrubBootSelect, customConfig, readGrubLine } from '../machine/drivers/grub.js';
import { fenceOf, refusedBy } from '../machine/fence.js';
import { LineSplitter } from '../machine/lines.js';
import type { Session } from '../machine/protocols.js';
import { BootEvidenceReader } from './boot-evidence.js';
import { parseBuildLine } from './build-script.js';
import { candidateCommandLine, whyOtherCommandLine } from './command-line.js';
import { buildIdOfNotes, parseIdentity } from './kernel-identity.js';
import { parseKmsg } from './kernel-log.js';
import { parseDf } from './stages/prepare.js';
import { listTests } from './suite-command.js';

const BOOT_ID = '0fa4002d-56cf-422f-a474-0a122cbd2ae7';
const identity = (commandLine: string): string => `${BOOT_ID}\n7.3.4\n${commandLine}\n\n`;
const answering = (stdout: string, code = 0): Session =>
  ({ exec: async () => ({ stdout, stderr: stdout, code, signal: null }) }) as unknown as Session;
const suite = { name: 's', kind: 'functional', command: ['s'], timeoutSeconds: 1, testTimeoutSeconds: 1, tests: [] };
const listed = (text: string): unknown =>
  listTests(answering(text), '/x', suite as Parameters<typeof listTests>[2], new AbortController().signal);
const pushed = (chunks: readonly string[]): void => {
  const splitter = new LineSplitter(() => undefined);
  for (const chunk of chunks) splitter.push(Buffer.from(chunk));
  splitter.end();
};

/** Every reader of foreign text with what costs it most: an input of about `n` characters. */
const WORST: readonly [name: string, read: (text: string) => unknown, text: (n: number) => string][] = [
  ['a result with blanks before no directive', parseKtapLine, (n) => `ok 1 ${' '.repeat(n)}#x`],
  ['a result with blanks behind a directive', parseKtapLine, (n) => `ok 1 a # SKIP${' '.repeat(n)}\u2028`],
  ['a result with a number without end', parseKtapLine, (n) => `ok ${'1'.repeat(n)}x`],
  ['an indent without a result', parseKtapLine, (n) => ' '.repeat(n)],
  ['a plan with blanks before no comment', parseKtapLine, (n) => `1..2${' '.repeat(n)}x`],
  ['an oracle read without end', parseKtapLine, (n) => `@oracle read 0x${'0'.repeat(n)}`],
  ['a metric of wrong samples', parseKtapLine, (n) => `# metric: {"samples":[${'"",'.repeat(n / 3)}1]}`],
  ['a proof of brackets', parseKtapLine, (n) => `# proof: ${'['.repeat(n)}`],
  ['an alarm: DMA-API', readKernelAlarm, (n) => 'DMA-API: '.repeat(n / 9)],
  ['an alarm: a driver that is none', readKernelAlarm, (n) => `DMA-API: ${'device driver'.repeat(n / 13)}`],
  ['an alarm: a hung task', readKernelAlarm, (n) => `INFO: task ${'a'.repeat(n)}`],
  ['an alarm: many hung tasks', readKernelAlarm, (n) => `INFO: task ${'a'.repeat(60)}`.repeat(n / 71)],
  ['an alarm: kernel BUG', readKernelAlarm, (n) => `kernel BUG at ${'a'.repeat(n)}`],
  ['an alarm: WARNING with a place without end', readKernelAlarm, (n) => `WARNING: ${'a/'.repeat(n / 2)}`],
  ['an alarm: WARNING with digits', readKernelAlarm, (n) => `WARNING: CPU: ${'1'.repeat(n)}`],
  ['an alarm: DMAR', readKernelAlarm, (n) => `DMAR: [DMA Read${' '.repeat(n)}`],
  ['an alarm: RCU', readKernelAlarm, (n) => `INFO: rcu_${'a'.repeat(n)}`],
  ['an alarm: AER', readKernelAlarm, (n) => 'AER: '.repeat(n / 5)],
  ['an alarm: kmemleak', readKernelAlarm, (n) => `kmemleak: ${'1'.repeat(n)}`],
  ['a login prompt before no note of lost messages', droppedMessages, (n) => ' login: '.repeat(n / 8)],
  ['a note of lost messages of digits', droppedMessages, (n) => `** ${'1'.repeat(n)}`],
  [
    'an instruction pointer',
    (text) => {
      const watch = new CrashWatch();
      watch.push('kernel BUG at a!', 1);
      watch.push(text, 2);
      return watch.crash;
    },
    (n) => `RIP: 0010:${'a'.repeat(n)}`,
  ],
  ['a line of NULs for the log', storableLines, (n) => '\u0000'.repeat(n)],
  ['control sequences without end', plainText, (n) => '\u001b['.repeat(n / 2)],
  ['one control sequence without end', plainText, (n) => `\u001b[${'0'.repeat(n)}`],
  ['a line that arrives byte by byte', (text) => pushed(text.split('')), (n) => 'x'.repeat(n)],
  ['a line of returns', (text) => pushed([text, '\n']), (n) => '\r'.repeat(n)],
  [
    'a message of GRUB',
    (text) => new BootEvidenceReader('7.3', readGrubLine).push([{ seq: 0, text }]),
    (n) => `error: ${'.'.repeat(n)}\u2028`,
  ],
  ['a message of GRUB with a place', readGrubLine, (n) => `error: ${'a/'.repeat(n / 2)}`],
  ['a command line that arrived', (text) => whyOtherCommandLine(text, text.slice(1)), (n) => 'a '.repeat(n / 2)],
  ['a kernel record without a text', parseKmsg, (n) => `4,1,1,${'-'.repeat(n)}`],
  ['a kernel record of digits', parseKmsg, (n) => '4'.repeat(n)],
  ['the notes of a kernel', buildIdOfNotes, (n) => '00'.repeat(n / 2)],
  ['a kernel command line', (text) => parseIdentity(identity(text)), (n) => ' peerlab.nonce= '.repeat(n / 16)],
  [
    'a default command line',
    (text) => candidateCommandLine(text, '/dev/vda1', { nonce: 'n', attemptId: 'a' }),
    (n) => `root=${'/dev/'.repeat(n / 5)}`,
  ],
  ['the progress of a build', parseBuildLine, (n) => `@progress ${'1'.repeat(n)}\u2028`],
  ['the error of a build', parseBuildLine, (n) => `@error ${'['.repeat(n)}`],
  ['free space', parseDf, (n) => `x\n${' '.repeat(n)}x`],
  ['a listing of tests', listed, (n) => `${'a'.repeat(n)} \n${' '.repeat(n)}x`],
  ['configuration space', (text) => parseConfigSpace([text]), (n) => `0000:00:00.0 ${'aa '.repeat(n / 3)}x`],
  ['an inventory of blanks', inventoryOf, (n) => `@cpu\n1\n${' '.repeat(n)}x\n@memory\n${'1'.repeat(n)}`],
  ['an inventory of functions', inventoryOf, (n) => `@functions\n${`/${'a/'.repeat(50)}|\n`.repeat(n / 100)}`],
  ['what a command is for', purposeOf, (n) => `# peerlab x {${'}'.repeat(n)}`],
  ['the fence of a command', fenceOf, (n) => '# peerlab-fence {'.repeat(n / 17)],
  ['a refusal', (text) => refusedBy({ code: 79, stderr: text }), (n) => `peerlab-fence: ${'1'.repeat(n)}x`],
  ['a word to quote', quote, (n) => `${'a'.repeat(n)}'`],
  ['a menu of GRUB', (text) => customConfig(text, null), (n) => '### peerlab '.repeat(n / 12)],
  ['a pending entry', (text) => createGrubBootSelect().pending(answering(text)), (n) => 'next_entry'.repeat(n / 10)],
  [
    'the words of a command that failed',
    (text) => output(answering(text, 1), 'x').catch(() => undefined),
    (n) => ' '.repeat(n),
  ],
];

function inventoryOf(text: string): void {
  try {
    parseInventory(text);
  } catch {
    // Refused, as it should be; what counts is how long that took.
  }
}

describe('text that a machine gives', () => {
  it.each(WORST)('costs its length, and no more: %s', async (_name, read, text) => {
    const growth = await growthOf(text, read);
    expect(growth.perDoubling, JSON.stringify(growth)).toBeLessThan(3);
  });
});
