import { appendFile, mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { rotateLog, boundLog, logStart, logTail } from './bounded-log.js';

const MIB = 1 << 20;
let folder = '';
let log = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerlab-bounded-'));
  log = join(folder, 'console.log');
});
afterEach(async () => rm(folder, { recursive: true }));

const takenBytes = async (): Promise<number> => (await stat(log)).blocks * 512;

test('a log within its limit, or none at all, is left alone', async () => {
  expect(await boundLog(log, MIB)).toBeNull();
  await writeFile(log, 'x');
  expect(await boundLog(log, MIB)).toBeNull();
  expect(await logStart(log)).toBe(0);
});

test('a machine that prints without end takes a bounded part of the disk and keeps its last words', async () => {
  // As QEMU has it open: every write goes to the end, wherever that is.
  const writer = await open(log, 'a');
  const cuts: ({ fromBytes: number; toBytes: number } | null)[] = [];
  for (let round = 0; round < 60; round += 1) {
    await writer.appendFile(Buffer.alloc(MIB, 'x'));
    cuts.push(await boundLog(log, 8 * MIB, MIB));
    expect(await takenBytes()).toBeLessThanOrEqual(8 * MIB + 8192);
  }
  await writer.appendFile('\nlast words\n');
  await writer.close();
  expect((await stat(log)).size).toBe(60 * MIB + 12);
  expect((await logTail(log, 64)).split('\n').slice(1)).toEqual(['last words', '']);
  // Every cut begins where the one before it ended.
  const made = cuts.filter((cut) => cut !== null);
  expect(made.length).toBeGreaterThan(5);
  expect(made.map(({ fromBytes }) => fromBytes)).toEqual([0, ...made.slice(0, -1).map(({ toBytes }) => toBytes)]);
  expect(await logStart(log)).toBe(made.at(-1)?.toBytes);
});

test('no byte changes its place, and none after the start is missing', async () => {
  const lines = Array.from({ length: 300_000 }, (_, n) => `line ${n}\n`).join('');
  await writeFile(log, lines);
  await boundLog(log, 2 * MIB, MIB / 4);
  const start = await logStart(log);
  expect(start).toBeGreaterThan(0);
  const kept = (await readFile(log)).subarray(start).toString();
  expect(kept).toBe(lines.slice(start));
  expect(kept.length).toBeGreaterThanOrEqual(MIB);
});

test('a log that begins anew starts at 0 and keeps the old one beside it', async () => {
  await writeFile(log, Buffer.alloc(4 * MIB, 'x'));
  await boundLog(log, MIB, MIB / 4);
  await rotateLog(log);
  await appendFile(log, 'new');
  expect(await logStart(log)).toBe(0);
  expect(await logTail(log, 100)).toBe('new');
  expect((await stat(`${log}.1`)).size).toBe(4 * MIB);
});
