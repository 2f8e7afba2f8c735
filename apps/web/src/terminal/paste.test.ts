import { expect, it } from 'vitest';
import { bytesOfKeys, PASTE_MAX_BYTES, pasteText } from './paste.js';

it('pastes text and its lines, without the keys that are hidden in it', () => {
  expect(pasteText('one\ttwo\r\nthree ä → 😀')).toBe('one\ttwo\r\nthree ä → 😀');
  // Would end what a shell takes for pasted, and run the rest.
  expect(pasteText('ls\u001b[201~\rrm x\u0003\u009b')).toBe('ls[201~\rrm x');
});

it('refuses what is longer than may be pasted at once', () => {
  expect(pasteText('x'.repeat(PASTE_MAX_BYTES))).toHaveLength(PASTE_MAX_BYTES);
  expect(pasteText('x'.repeat(PASTE_MAX_BYTES + 1))).toBeNull();
  expect(pasteText('ä'.repeat(PASTE_MAX_BYTES / 2 + 1))).toBeNull();
});

it('takes keys that are no text byte by byte', () => {
  expect([...bytesOfKeys('\u001b[M\u00e0!')]).toEqual([0x1b, 0x5b, 0x4d, 0xe0, 0x21]);
});
