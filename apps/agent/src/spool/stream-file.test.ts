import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LOG_LINE_MAX, type LogLine } from '@peerlab/contracts';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StreamFile } from './stream-file.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spool-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const path = (): string => join(folder, 'serial.jsonl');
const texts = (file: StreamFile<LogLine>, from = 0): string[] => file.read(from, 1e6, 1e12).map((line) => line.text);

describe('StreamFile', () => {
  it('numbers records without gaps and reads them from anywhere', () => {
    const file = new StreamFile<LogLine>(path());
    for (let i = 0; i < 1000; i += 1) file.append([{ at: i, text: `line ${i}` }]);
    expect(file.next).toBe(1000);
    const part = file.read(700, 10, 1e9);
    expect(part.map((line) => line.seq)).toEqual([700, 701, 702, 703, 704, 705, 706, 707, 708, 709]);
    expect(part[0]?.text).toBe('line 700');
    file.close();
  });

  it('ends a batch at its size, but gives at least one record', () => {
    const file = new StreamFile<LogLine>(path());
    file.append([0, 1, 2, 3].map((at) => ({ at, text: 'x'.repeat(LOG_LINE_MAX) })));
    expect(file.read(0, 100, 20_000).map((line) => line.seq)).toEqual([0, 1]);
    expect(file.read(0, 100, 1).map((line) => line.seq)).toEqual([0]);
    file.close();
  });

  it('cut at any byte, keeps a prefix, and goes on with the next number', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'binary', maxLength: 60 }), { minLength: 1, maxLength: 40 }),
        fc.nat(),
        fc.constantFrom('', '\0\0\0\0', '{"seq":3', 'null\n', '[]\n'),
        (written, cut, tail) => {
          rmSync(path(), { force: true });
          const before = new StreamFile<LogLine>(path());
          before.append(written.map((text, at) => ({ at, text })));
          const whole = texts(before);
          before.close();
          truncateSync(path(), cut % (readFileSync(path()).length + 1));
          appendFileSync(path(), tail);
          const after = new StreamFile<LogLine>(path());
          const kept = texts(after);
          expect(kept).toEqual(whole.slice(0, kept.length));
          expect(after.next).toBe(kept.length);
          after.append([{ at: 1, text: 'next' }]);
          after.close();
          const again = new StreamFile<LogLine>(path());
          expect(texts(again)).toEqual([...kept, 'next']);
          again.close();
        },
      ),
      { numRuns: 150 },
    );
  });

  it('goes on above what the receiver holds', () => {
    const file = new StreamFile<LogLine>(path());
    file.append([{ at: 0, text: 'a' }]);
    file.skipTo(5);
    expect(file.append([{ at: 1, text: 'b' }])).toBe(5);
    file.close();
    const again = new StreamFile<LogLine>(path());
    expect(again.next).toBe(6);
    expect(again.read(5, 10, 1e9).map((line) => line.text)).toEqual(['b']);
    again.close();
  });
});
