import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GcovError } from './gcov-bytes.js';
import { readCounters } from './gcov-counters.js';
import { readNotes } from './gcov-notes.js';
import { addLinesRun, type LinesRun } from './lines-run.js';

/** Made by gcc 12 of the sources beside them, with what gcov itself says of each: [line, count], by file. */
const SAMPLES = join(import.meta.dirname, '../../src/coverage/samples');
const sample = (name: string): Buffer => readFileSync(join(SAMPLES, name));
/**
 * gcov 12 says of the label `out:` that it did not run, although the program jumps there: where a line is the last one of some
 * block, gcov counts those blocks alone. Here a line ran when any block that has it ran.
 */
const GCOV_MISSES: Record<string, number[]> = { 'branches-O0': [40] };
const NAMES = readdirSync(SAMPLES)
  .filter((name) => name.endsWith('.gcno'))
  .map((name) => name.slice(0, -'.gcno'.length));

function linesOf(notes: Buffer, counters: Buffer | null): LinesRun {
  const lines: LinesRun = new Map();
  addLinesRun(lines, readNotes(notes), counters === null ? null : readCounters(counters));
  return lines;
}

const plain = (lines: LinesRun): Record<string, [number, boolean][]> =>
  Object.fromEntries([...lines].map(([file, of]) => [file, [...of].toSorted(([a], [b]) => a - b)]));

describe('what gcc noted and a program counted', () => {
  it.each(NAMES)('gives the lines that gcov gives: %s', (name) => {
    const said = JSON.parse(sample(`${name}.json`).toString()) as Record<string, [number, number][]>;
    const expected = Object.fromEntries(
      Object.entries(said).map(([file, lines]) => [
        file,
        lines.map(([line, count]) => [line, count > 0 || (GCOV_MISSES[name]?.includes(line) ?? false)]),
      ]),
    );
    expect(plain(linesOf(sample(`${name}.gcno`), sample(`${name}.gcda`)))).toEqual(expected);
  });

  it('without counters has the same lines, none of which ran', () => {
    const [name = ''] = NAMES;
    const counted = plain(linesOf(sample(`${name}.gcno`), sample(`${name}.gcda`)));
    const never = plain(linesOf(sample(`${name}.gcno`), null));
    expect(Object.keys(never)).toEqual(Object.keys(counted));
    for (const [file, lines] of Object.entries(never)) {
      expect(lines).toEqual(counted[file]?.map(([line]) => [line, false]));
    }
  });

  it('takes no counters of another compilation', () => {
    expect(() => linesOf(sample('branches-O0.gcno'), sample('branches-O2.gcda'))).toThrow(/another compilation/);
  });

  it('adds up over objects: a line ran when it ran in one of them', () => {
    const lines = linesOf(sample('branches-O0.gcno'), null);
    addLinesRun(lines, readNotes(sample('branches-O2.gcno')), readCounters(sample('branches-O2.gcda')));
    expect(lines.get('branches.c')?.get(7)).toBe(true);
    expect(lines.get('branches.c')?.get(46)).toBe(false);
  });
});

describe('bytes that are something else', () => {
  it.each([
    ['nothing', Buffer.alloc(0), /cut off/],
    ['another file', Buffer.from('ELF, or whatever it is'), /does not begin with gcno/],
    ['another compiler', Buffer.from('oncg*11A\0\0\0\0\0\0\0\0'), /compiler that is not known/],
  ])('are refused: %s', (_, bytes, why) => {
    expect(() => readNotes(bytes)).toThrow(why);
  });

  it('cannot claim memory that they do not have', () => {
    const word = (value: number): Buffer => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(value);
      return bytes;
    };
    const head = Buffer.concat([Buffer.from('oncg*22B'), word(0), word(0), word(0), word(0)]);
    const func = Buffer.concat([word(0x0100_0000), word(12), word(1), word(2), word(3)]);
    const blocks = Buffer.concat([word(0x0141_0000), word(4), word(150_000)]);
    expect(() => readNotes(Buffer.concat([head, func, blocks, func, blocks]))).toThrow(/blocks/);
    const counters = Buffer.concat([
      Buffer.from('adcg*22B'),
      word(0),
      word(0),
      func,
      word(0x01a1_0000),
      word(-0x7000_0000 >>> 0),
    ]);
    expect(() => readCounters(counters)).toThrow(/without any content/);
  });

  it('are read to their end or refused, whatever was changed in them', () => {
    const change = fc.record({
      file: fc.constantFrom(...NAMES),
      at: fc.nat(4000),
      value: fc.oneof(fc.nat(255), fc.constantFrom(0, 0xff, 0x80)),
      cut: fc.oneof(fc.constant(null), fc.nat(4000)),
      of: fc.constantFrom('gcno' as const, 'gcda' as const),
    });
    fc.assert(
      fc.property(change, ({ file, at, value, cut, of }) => {
        const files = { gcno: sample(`${file}.gcno`), gcda: sample(`${file}.gcda`) };
        const changed = Buffer.from(files[of]);
        changed[at % changed.length] = value;
        files[of] = cut === null ? changed : changed.subarray(0, cut % changed.length);
        try {
          for (const lines of linesOf(files.gcno, files.gcda).values()) expect(lines.size).toBeLessThan(2000);
        } catch (error) {
          expect(error).toBeInstanceOf(GcovError);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('of any kind end in an answer', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.constantFrom('oncg', 'adcg'), (rest, magic) => {
        const bytes = Buffer.concat([Buffer.from(`${magic}*22B`), rest]);
        try {
          (magic === 'oncg' ? readNotes : readCounters)(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(GcovError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
