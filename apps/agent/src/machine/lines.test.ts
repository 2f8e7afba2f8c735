import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LINE_PIECE_MAX, LineSplitter, readInto } from './lines.js';

/** Lines with their pieces, when the bytes come in chunks of the given sizes, over and over. */
function split(bytes: Buffer, chunkSizes: readonly number[]): string[][] {
  const lines: string[][] = [];
  const splitter = new LineSplitter((piece, continues) => {
    if (continues) lines.at(-1)?.push(piece);
    else lines.push([piece]);
  });
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = chunkSizes[turn % chunkSizes.length] ?? 1;
    splitter.push(bytes.subarray(at, at + size));
    at += size;
  }
  splitter.end();
  return lines;
}

describe('LineSplitter', () => {
  it('takes any bytes in any chunks: the lines are those of the whole text', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.uint8Array({ maxLength: 12 }),
            fc.constantFrom(...['\r\n', '\n', '\u001b[1m', 'é💩'].map((s) => Buffer.from(s))),
          ),
          {
            maxLength: 40,
          },
        ),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
        (pieces, sizes) => {
          const bytes = Buffer.concat(pieces);
          const whole = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes).split('\n');
          if (whole.at(-1) === '') whole.pop();
          expect(split(bytes, sizes)).toEqual(whole.map((line) => [line.replace(/\r+$/, '')]));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('hands a line without end out in pieces, cut at the same places whatever the chunks', () => {
    const line = '💩x'.repeat(LINE_PIECE_MAX);
    const bytes = Buffer.from(`${line}\nnext\n`);
    const [long, next] = split(bytes, [65_536]);
    expect(next).toEqual(['next']);
    expect(long?.join('')).toBe(line);
    expect(long?.every((piece) => piece.length <= LINE_PIECE_MAX && !/\p{Surrogate}/u.test(piece))).toBe(true);
    expect(split(bytes, [999_999, 3])[0]).toEqual(long);
  });

  // One that looks at everything again for every chunk would not come to its end within the test's time.
  it('is not slowed down by binary output', () => {
    expect(split(Buffer.concat([Buffer.alloc(LINE_PIECE_MAX, '\r'), Buffer.from('x\n')]), [4096])[0]?.[0]).toHaveLength(
      LINE_PIECE_MAX,
    );
  });
});

describe('reading a stream', () => {
  /** A stream that is held back after every chunk, until `goOn`. */
  function heldBack(): { stream: PassThrough; taken: string[]; end: () => void; goOn: () => void } {
    const stream = new PassThrough();
    const taken: string[] = [];
    let goOn: () => void = () => undefined;
    const end = readInto(stream, new LineSplitter((line) => taken.push(line)), {
      wait: () =>
        new Promise((resolve) => {
          goOn = resolve;
        }),
    });
    return { stream, taken, end, goOn: () => goOn() };
  }

  it('takes what arrived while it was held back, once', async () => {
    const { stream, taken, end } = heldBack();
    stream.write('one\n');
    while (!stream.isPaused()) await setImmediate();
    stream.write('two\nthree\n');
    stream.write('no line end');
    expect(taken).toEqual(['one']);
    end();
    end();
    expect(taken).toEqual(['one', 'two', 'three', 'no line end']);
  });

  it('keeps what throws out of the stream: the end throws it, or its listener is told', async () => {
    const seen: string[] = [];
    const splitter = (): LineSplitter =>
      new LineSplitter((line) => {
        seen.push(line);
        throw new Error(`cannot take ${line}`);
      });
    const stream = new PassThrough();
    const end = readInto(stream, splitter());
    stream.write('one\ntwo\n');
    stream.write('three\n');
    await setImmediate();
    expect(seen).toEqual(['one']);
    expect(end).toThrow('cannot take one');
    expect(end).not.toThrow();
    const faults: unknown[] = [];
    const other = new PassThrough();
    const endOther = readInto(other, splitter(), undefined, (fault) => faults.push(fault));
    other.write('four\nfive\n');
    await setImmediate();
    endOther();
    expect(faults).toEqual([new Error('cannot take four')]);
    stream.end();
    await once(stream, 'end');
  });

  it('drops what comes after its end, and lets the stream come to its own', async () => {
    const { stream, taken, end, goOn } = heldBack();
    stream.write('one\n');
    while (!stream.isPaused()) await setImmediate();
    end();
    stream.write('late\n');
    goOn();
    stream.end();
    await once(stream, 'end');
    expect(taken).toEqual(['one']);
  });
});
