import { afterEach, describe, expect, it } from 'vitest';
import { scanLines } from './scan-lines.js';
import { Scanner, type ScanThread } from './scanner.js';

const plain = { text: 'x', isRegex: false, isCaseSensitive: false };
let ended = 0;
afterEach(() => {
  ended = 0;
});

/** Answers at once, as the thread of the page does. */
function promptThread(): ScanThread {
  let listen: (answer: ReturnType<typeof scanLines>) => void = () => undefined;
  return {
    post: (request) => queueMicrotask(() => listen(scanLines(request))),
    onAnswer: (listener) => (listen = listener),
    end: () => (ended += 1),
  };
}

/** Never answers, as a thread that an expression keeps busy. */
const busyThread = (): ScanThread => ({ post: () => undefined, onAnswer: () => undefined, end: () => (ended += 1) });

describe('the scanner', () => {
  it('answers in turn, with the places where they are asked for', async () => {
    const scanner = new Scanner(promptThread);
    const [hits, places] = await Promise.all([
      scanner.scan(plain, ['a', 'x', 'xx']),
      scanner.scan(plain, ['a', 'x', 'xx'], true),
    ]);
    expect(hits).toMatchObject({ hits: [1, 2], ranges: [] });
    expect(places.ranges).toEqual([
      [[0, 1]],
      [
        [0, 1],
        [1, 2],
      ],
    ]);
  });
  it('says what is wrong with an expression and goes on', async () => {
    const scanner = new Scanner(promptThread);
    await expect(scanner.scan({ ...plain, text: '(', isRegex: true }, ['a'])).rejects.toThrow('Unterminated group');
    expect((await scanner.scan(plain, ['x'])).hits).toEqual([0]);
  });
  it('ends a thread that does not answer in time, and searches again in another one', async () => {
    const threads = [busyThread(), promptThread()];
    const scanner = new Scanner(() => threads.shift() ?? busyThread(), 50);
    const hostile = { text: '^(a+)+$', isRegex: true, isCaseSensitive: true };
    await expect(scanner.scan(hostile, [`${'a'.repeat(60)}!`])).rejects.toThrow('takes too long');
    expect(ended).toBe(1);
    expect((await scanner.scan(plain, ['a', 'x'])).hits).toEqual([1]);
    scanner.close();
    expect(ended).toBe(2);
    await expect(scanner.scan(plain, ['x'])).rejects.toThrow('ended');
  });
});
