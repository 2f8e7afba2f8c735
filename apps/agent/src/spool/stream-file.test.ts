import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LOG_LINE_MAX, type LogLine } from '@peerlab/contracts';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SpoolDisk, SpoolFault } from './spool-disk.js';
import { StreamFile } from './stream-file.js';

let folder: string;
beforeEach(() => {
  // Every segment is synced, which a disk would make slow here.
  folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'spool-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const path = (): string => join(folder, 'serial');
const segments = (): string[] => readdirSync(folder).sort();
const newest = (): string => join(folder, segments().at(-1) ?? '');
const open = (segmentBytes?: number, disk = new SpoolDisk()): StreamFile<LogLine> =>
  new StreamFile<LogLine>(path(), {
    disk,
    ...(segmentBytes === undefined ? {} : { segmentBytes }),
    lost: (seq) => ({ seq, at: 0, text: 'lost' }),
  });
const all = (file: StreamFile<LogLine>, from = 0): LogLine[] => file.read(from, 1e6, 1e12);
const texts = (file: StreamFile<LogLine>, from = 0): string[] => all(file, from).map((line) => line.text);
const fill = (file: StreamFile<LogLine>, lines: number): void => {
  for (let i = 0; i < lines; i += 1) file.append([{ at: i, text: `line ${file.next}` }]);
};

/** An append that was there before. */
const OLD = '[{"seq":0,"at":1,"text":"old"}]\n';

describe('StreamFile', () => {
  it('numbers records without gaps and reads them from anywhere', () => {
    const file = open();
    fill(file, 1000);
    expect(file.next).toBe(1000);
    const part = file.read(700, 10, 1e9);
    expect(part.map((line) => line.seq)).toEqual([700, 701, 702, 703, 704, 705, 706, 707, 708, 709]);
    expect(part[0]?.text).toBe('line 700');
    file.close();
  });

  it('ends a batch at its size, but gives at least one record', () => {
    const file = open();
    file.append([0, 1, 2, 3].map((at) => ({ at, text: 'x'.repeat(LOG_LINE_MAX) })));
    expect(file.read(0, 100, 20_000).map((line) => line.seq)).toEqual([0, 1]);
    expect(file.read(0, 100, 1).map((line) => line.seq)).toEqual([0]);
    file.close();
  });

  it('cut at any byte, keeps a prefix of whole appends, and goes on with the next number', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.string({ unit: 'binary', maxLength: 60 }), { minLength: 1, maxLength: 3 }), {
          minLength: 1,
          maxLength: 40,
        }),
        fc.constantFrom(1, 200, 1e6),
        fc.nat(),
        fc.constantFrom('', '\0\0\0\0', '{"seq":3', 'null\n', '[]\n', OLD),
        (appends, segmentBytes, cut, tail) => {
          for (const name of segments()) rmSync(join(folder, name));
          const before = open(segmentBytes);
          for (const parts of appends) before.append(parts.map((text, at) => ({ at, text })));
          const whole = texts(before);
          before.close();
          const [head = ''] = readFileSync(newest(), 'utf8').split('\n');
          const shortest = Buffer.byteLength(head) + 1;
          const sizeBytes = shortest + (cut % (readFileSync(newest()).length - shortest + 1));
          // Where nothing is left before it, number 0 is the next one.
          fc.pre(tail !== OLD || sizeBytes > shortest || segments().length > 1);
          truncateSync(newest(), sizeBytes);
          appendFileSync(newest(), tail);
          const after = open(segmentBytes);
          const kept = texts(after);
          expect(kept).toEqual(whole.slice(0, kept.length));
          expect(after.next).toBe(kept.length);
          // An append is there as a whole or not at all, and is counted.
          expect(kept).toEqual(appends.slice(0, after.units).flat());
          after.append([{ at: 1, text: 'next' }]);
          after.close();
          const again = open(segmentBytes);
          expect(texts(again)).toEqual([...kept, 'next']);
          again.close();
        },
      ),
      { numRuns: 80 },
    );
  });

  it('goes on above what the receiver holds', () => {
    const file = open();
    fill(file, 1);
    file.skipTo(5);
    expect(file.append([{ at: 1, text: 'b' }])).toBe(5);
    file.close();
    const again = open();
    expect(again.next).toBe(6);
    expect(again.read(5, 10, 1e9).map((line) => line.text)).toEqual(['b']);
    again.close();
  });

  it('reads a file of an older agent', () => {
    writeFileSync(`${path()}.jsonl`, '{"seq":0,"at":1,"text":"a"}\n{"seq":1,"at":1,"text":"b"}\n{"seq":2,"at');
    expect(StreamFile.exists(path())).toBe(true);
    const file = open();
    expect(texts(file)).toEqual(['a', 'b']);
    fill(file, 1);
    expect(texts(file)).toEqual(['a', 'b', 'line 2']);
    file.close();
  });
});

describe('segments', () => {
  it('any sequence of appends, acknowledgements and restarts gives each unacknowledged record once and in order', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('append' as const), n: fc.integer({ min: 1, max: 30 }) }),
      fc.record({ do: fc.constant('release' as const), n: fc.nat(40) }),
      fc.record({ do: fc.constant('restart' as const), n: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 60, max: 900 }), (steps, segmentBytes) => {
        for (const name of segments()) rmSync(join(folder, name));
        let disk = new SpoolDisk();
        let file = open(segmentBytes, disk);
        let [produced, acked] = [0, 0];
        for (const { do: what, n } of steps) {
          if (what === 'append') {
            fill(file, n);
            produced += n;
          } else if (what === 'release') {
            acked = Math.min(produced, acked + n);
            file.release(acked);
          } else {
            file.close();
            disk = new SpoolDisk();
            file = open(segmentBytes, disk);
          }
          expect(file.next).toBe(produced);
          expect(file.units).toBe(produced);
          expect(file.first).toBeLessThanOrEqual(acked);
          expect(texts(file, acked)).toEqual(
            Array.from({ length: produced - acked }, (_, index) => `line ${acked + index}`),
          );
          const onDisk = segments().reduce((sum, name) => sum + readFileSync(join(folder, name)).length, 0);
          expect(disk.usedBytes).toBe(onDisk);
          // All that is acknowledged is gone, but for the segment at the border and a small newest one.
          expect(onDisk).toBeLessThanOrEqual((produced - acked) * 60 + 3 * (segmentBytes + 60));
        }
        file.close();
      }),
      { numRuns: 80 },
    );
  });

  it('stands in for what is not there any more, record by record', () => {
    const file = open(200);
    fill(file, 40);
    file.close();
    const [, damaged = ''] = segments();
    const from = Number(/\d+/.exec(damaged)?.[0]);
    const until = Number(/\d+/.exec(segments()[2] ?? '')?.[0]);
    const lines = readFileSync(join(folder, damaged), 'utf8').split('\n');
    writeFileSync(join(folder, damaged), [lines[0], lines[1], '{"seq":', ...lines.slice(3)].join('\n'));
    const again = open(200);
    expect(texts(again)).toEqual(Array.from({ length: 40 }, (_, i) => (i > from && i < until ? 'lost' : `line ${i}`)));
    again.release(30);
    expect(all(again, 5).map(({ seq }) => seq)).toEqual(Array.from({ length: 35 }, (_, i) => i + 5));
    expect(texts(again, 5)[0]).toBe('lost');
    again.close();
  });
});

describe('a disk that refuses to write', () => {
  it('takes nothing of an append, and all of the next one when there is room again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 20, max: 1500 }), fc.constantFrom(150, 1e6), (room, segmentBytes) => {
        for (const name of segments()) rmSync(join(folder, name));
        let left = room;
        const disk = new SpoolDisk({
          write: (fd, bytes, offset) => {
            // Half a write first, as a full file system does it.
            const count = Math.min(left, bytes.length - offset);
            if (count === 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
            left -= count;
            const before = readFileSync(`/proc/self/fd/${fd}`).length;
            appendFileSync(`/proc/self/fd/${fd}`, bytes.subarray(offset, offset + count));
            expect(readFileSync(`/proc/self/fd/${fd}`).length).toBe(before + count);
            return count;
          },
        });
        const file = open(segmentBytes, disk);
        const stored: string[] = [];
        let refused = 0;
        for (let i = 0; i < 60; i += 1) {
          try {
            file.append([{ at: i, text: `try ${i}` }]);
            stored.push(`try ${i}`);
          } catch (error) {
            if (!(error instanceof SpoolFault)) throw error;
            expect(error.reason).toBe('disk-full');
            refused += 1;
            if (refused === 10) left = 1e6;
          }
        }
        expect(refused).toBe(10);
        expect(texts(file)).toEqual(stored);
        file.close();
        const again = open(segmentBytes);
        expect(texts(again)).toEqual(stored);
        again.close();
      }),
      { numRuns: 40 },
    );
  });
});
