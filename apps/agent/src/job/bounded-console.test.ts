import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@peerlab/controller/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startFakeLab } from '../fake/fake-lab.js';
import { PLACE_BYTES, createLogFileConsole } from '../machine/drivers/console-log-file.js';
import type { ConsoleGap } from '../machine/protocols.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { SerialRecorder } from './serial-recorder.js';

const LINE_BYTES = 1000;
const MIB = 1 << 20;

let folder: string;
let logFile: string;
/** Lines printed so far. */
let printed: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bounded-console-'));
  logFile = join(folder, 'console.log');
  writeFileSync(logFile, '');
  printed = 0;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const line = (n: number): string => `line ${n} `.padEnd(LINE_BYTES - 1, 'x');

/** Prints whole lines until the record is that long. */
function printTo(bytes: number): void {
  const lines: string[] = [];
  for (; printed * LINE_BYTES < bytes; printed += 1) lines.push(`${line(printed)}\n`);
  appendFileSync(logFile, lines.join(''));
}

/** As the lab does it: first it says where the text begins, then it makes the hole. */
function cutTo(bytes: number): void {
  writeFileSync(`${logFile}.start.new`, `${bytes}\n`);
  renameSync(`${logFile}.start.new`, `${logFile}.start`);
  execFileSync('fallocate', ['--punch-hole', '--offset', '0', '--length', String(bytes), logFile]);
}

const numberOf = (text: string): number => Number(/^line (\d+) x*$/.exec(text)?.[1] ?? Number.NaN);
describe('a console whose record is cut while it is read', () => {
  it('loses what was cut and nothing else, says which bytes, and gives no half line', async () => {
    const seen: (number | ConsoleGap)[] = [];
    let isHeld = false;
    let release: () => void = () => undefined;
    const backpressure = {
      wait: () => (isHeld ? new Promise<void>((resolve) => (release = resolve)) : null),
    };
    const follower = await createLogFileConsole({ logFile, pollMs: 5 }).follow(0, {
      onLine: (text) => seen.push(numberOf(text)),
      onGap: (gap) => seen.push(gap),
      backpressure,
    });
    printTo(MIB);
    await eventually('the first lines', () => seen.length === printed);
    isHeld = true;
    printTo(3 * PLACE_BYTES);
    cutTo(2 * PLACE_BYTES);
    isHeld = false;
    release();
    await eventually('the last line', () => seen.at(-1) === printed - 1);
    printTo(3 * PLACE_BYTES + MIB);
    await eventually('lines after that', () => seen.at(-1) === printed - 1);
    await follower.stop();
    const gaps = seen.flatMap((entry, index) => (typeof entry === 'number' ? [] : [{ ...entry, index }]));
    expect(gaps).toHaveLength(1);
    const [{ index, fromBytes, toBytes } = { index: 0, fromBytes: 0, toBytes: 0 }] = gaps;
    // Both ends of the gap are exact: the reader was in the middle of a block, the lab cut in the middle of a line.
    const firstAfter = Math.floor((2 * PLACE_BYTES) / LINE_BYTES) + 1;
    expect(toBytes).toBe(firstAfter * LINE_BYTES);
    const before = seen.slice(0, index);
    const whole = Math.floor(fromBytes / LINE_BYTES);
    expect(before.slice(0, whole)).toEqual(Array.from({ length: whole }, (_, n) => n));
    // The beginning of the line that the gap cuts off is all that is left of it.
    expect(before.slice(whole)).toHaveLength(fromBytes % LINE_BYTES === 0 ? 0 : 1);
    expect(seen.slice(index + 1)).toEqual(Array.from({ length: printed - firstAfter }, (_, n) => firstAfter + n));
  });
});

describe('the serial stream of an attempt', () => {
  let spool: AttemptSpool;

  async function openSpool(): Promise<void> {
    const lab = await startFakeLab(join(folder));
    await lab.fake.stop();
    spool = AttemptSpool.create(join(folder, 'spool'), lab.assign());
  }
  const record = async (): Promise<SerialRecorder> =>
    SerialRecorder.start(createLogFileConsole({ logFile, pollMs: 5 }), spool, (fault) => {
      throw fault;
    });
  const texts = (): string[] =>
    spool
      .file('serial')
      .read(0, 1e6, 1e12)
      .flatMap((entry) => ('text' in entry ? [entry.text] : []));

  /** As after kill -9: what follows writes into a spool that was opened anew. */
  function reopen(): void {
    spool.close();
    const [found] = AttemptSpool.openAll(join(folder, 'spool'));
    if (found === undefined) throw new Error('the attempt is gone');
    spool = found;
  }

  afterEach(() => spool.close());

  it('goes on after a restart of the agent at its last place, without a lost or doubled line', async () => {
    await openSpool();
    writeFileSync(logFile, '');
    const first = await record();
    printTo(PLACE_BYTES + 2 * MIB);
    await eventually('all lines', () => first.next === printed);
    expect(spool.record.serialStartBytes).toBe(Math.floor(PLACE_BYTES / LINE_BYTES) * LINE_BYTES);
    await first.stop();
    reopen();
    printTo(PLACE_BYTES + 3 * MIB);
    const second = await record();
    await eventually('the rest', () => second.next === printed);
    await second.stop();
    expect(texts().map(numberOf)).toEqual(Array.from({ length: printed }, (_, n) => n));
  });

  it('says which bytes are missing when they were cut while no agent ran', async () => {
    await openSpool();
    writeFileSync(logFile, '');
    const first = await record();
    printTo(PLACE_BYTES + 2 * MIB);
    await eventually('all lines', () => first.next === printed);
    const taken = printed;
    await first.stop();
    reopen();
    printTo(3 * PLACE_BYTES + MIB);
    cutTo(2 * PLACE_BYTES);
    const second = await record();
    const firstAfter = Math.floor((2 * PLACE_BYTES) / LINE_BYTES) + 1;
    await eventually('the rest', () => second.next === taken + 1 + printed - firstAfter);
    await second.stop();
    const all = texts();
    expect(all.slice(0, taken).map(numberOf)).toEqual(Array.from({ length: taken }, (_, n) => n));
    const from = Math.floor(PLACE_BYTES / LINE_BYTES) * LINE_BYTES;
    expect(all[taken]).toContain(`bytes ${from} to ${firstAfter * LINE_BYTES - 1} of the console's record are missing`);
    expect(all.slice(taken + 1).map(numberOf)).toEqual(
      Array.from({ length: printed - firstAfter }, (_, n) => firstAfter + n),
    );
  });

  it('counts what the kernel says that it dropped before its console, each once, over a restart too', async () => {
    await openSpool();
    writeFileSync(logFile, '');
    const first = await record();
    appendFileSync(logFile, 'a\r\n** 40 printk messages dropped **\r\nb\r\n');
    await eventually('the first lines', () => first.next === 4);
    await first.stop();
    reopen();
    appendFileSync(logFile, 'debian login: ** 2 printk messages dropped ** [    9.9] c\r\nd\r\n');
    const second = await record();
    await eventually('the rest', () => second.next === 7);
    await second.stop();
    const entries = spool.file('serial').read(0, 1e6, 1e12);
    expect(entries.flatMap((entry) => ('gap' in entry ? [[entry.seq, entry.gap]] : []))).toEqual([
      [1, { lines: 40, bytes: 0, reason: 'printk-dropped' }],
      [4, { lines: 2, bytes: 0, reason: 'printk-dropped' }],
    ]);
    expect(texts()[1]).toBe(
      '[gap: 40 lines are missing here: the kernel dropped these messages, because it logged faster than this console could print]',
    );
    expect(
      texts()
        .filter((text) => !text.startsWith('[gap:'))
        .map((text) => text.trimEnd()),
    ).toEqual([
      'a',
      '** 40 printk messages dropped **',
      'b',
      'debian login: ** 2 printk messages dropped ** [    9.9] c',
      'd',
    ]);
  });
});
