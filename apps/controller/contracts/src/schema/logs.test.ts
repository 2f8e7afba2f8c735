import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GAP_REASONS, gapText, joinedText, LOG_LINE_MAX, LogLine, storableLines } from './logs.js';

describe('a long line', () => {
  it('is cut into storable parts that give the same text again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.nat(3 * LOG_LINE_MAX), (text, padding) => {
        const line = `${text}${'\u{1f4a9}x'.repeat(padding / 3)}${text}`;
        const parts = storableLines(line);
        expect(parts.every((part) => part.length <= LOG_LINE_MAX)).toBe(true);
        expect(parts.every((part) => !/\p{Surrogate}/u.test(part))).toBe(true);
        const records = parts.map((part, index) =>
          index > 0 ? { text: part, continues: true as const } : { text: part },
        );
        expect(joinedText(records, true)).toBe(line.replaceAll('\u0000', '\u2400'));
      }),
      { numRuns: 60 },
    );
  });

  it('ends before the next one, over the border of two pages too', () => {
    const page = [{ text: 'a' }, { text: 'b', continues: true as const }];
    expect(joinedText(page, true) + joinedText([{ text: 'c', continues: true }, { text: 'd' }], false)).toBe('abc\nd');
  });
});

describe('a gap', () => {
  it('says how much is missing and why, in words', () => {
    expect(gapText({ lines: 3, bytes: 70, reason: 'disk-full' })).toBe(
      `[gap: 3 lines are missing here (70 bytes): ${GAP_REASONS['disk-full']}]`,
    );
    expect(gapText({ lines: 1, bytes: 0, reason: 'of-a-newer-agent' })).toBe(
      '[gap: 1 line is missing here: of-a-newer-agent]',
    );
  });

  it('is part of a line that an agent without gaps need not send', () => {
    expect(LogLine.parse({ seq: 0, at: 1, text: 'x' })).toEqual({ seq: 0, at: 1, text: 'x' });
    expect(LogLine.safeParse({ seq: 0, at: 1, text: '', gap: { lines: -1, bytes: 0, reason: 'flood' } }).success).toBe(
      false,
    );
  });
});
