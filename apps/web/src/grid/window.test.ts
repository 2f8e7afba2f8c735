import fc from 'fast-check';
import { expect, it } from 'vitest';
import { moved } from './moves.js';
import { stepped } from './LargeGridBody.js';
import { denseSizes, isLarge } from './window.js';

it('draws everything in view, whatever was scrolled, and little more', () => {
  const view = fc.tuple(fc.integer({ min: 1, max: 5000 }), fc.nat(), fc.integer({ min: 0, max: 120 }));
  fc.assert(
    fc.property(view, fc.integer({ min: 1, max: 12 }), ([count, at, length], step) => {
      const startIndex = at % count;
      const endIndex = Math.min(count - 1, startIndex + length);
      const drawn = stepped({ startIndex, endIndex, overscan: step, count, lanes: 1 });
      const from = drawn[0] ?? Number.NaN;
      expect(drawn).toEqual(Array.from({ length: drawn.length }, (_, place) => from + place));
      expect(from).toBeGreaterThanOrEqual(0);
      expect(from).toBeLessThanOrEqual(startIndex);
      expect(drawn.at(-1)).toBeGreaterThanOrEqual(endIndex);
      expect(drawn.at(-1)).toBeLessThan(count);
      expect(drawn.length).toBeLessThanOrEqual(length + 1 + 4 * step);
    }),
  );
});

it('moves the window once in a step', () => {
  const windows = Array.from({ length: 60 }, (_, startIndex) =>
    stepped({ startIndex, endIndex: startIndex + 20, overscan: 6, count: 1000, lanes: 1 }).join(),
  );
  expect(new Set(windows).size).toBe(10);
});

it('keeps a small grid whole', () => {
  expect(isLarge(120, 16)).toBe(false);
  expect(isLarge(500, 300)).toBe(true);
});

it('makes cells as small as text for a mouse and large enough for a finger, with room for a number in few columns', () => {
  expect(denseSizes(6, false)).toEqual({ lineHeight: 13, columnWidth: 46 });
  expect(denseSizes(25, false).columnWidth).toBe(30);
  // WCAG 2.2, target size: at least 24 pixels.
  for (const columns of [6, 300]) expect(Math.min(...Object.values(denseSizes(columns, true)))).toBeGreaterThan(24);
});

it('moves by j and k as by arrows, but leaves them to others with Ctrl', () => {
  const at = { line: 3, column: 2 };
  const press = (key: string, ctrlKey = false) => moved({ key, ctrlKey, metaKey: false }, at, 30, 9);
  expect([press('j'), press('k')]).toEqual([
    { line: 4, column: 2 },
    { line: 2, column: 2 },
  ]);
  expect(press('k', true)).toBeNull();
});

it('never leaves the grid by a key', () => {
  const keys = ['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight', 'Home', 'End', 'PageUp', 'PageDown'];
  const place = fc.record({ line: fc.integer({ min: 0, max: 30 }), column: fc.integer({ min: 0, max: 9 }) });
  fc.assert(
    fc.property(place, fc.constantFrom(...keys), fc.boolean(), (at, key, ctrlKey) => {
      const to = moved({ key, ctrlKey, metaKey: false }, at, 30, 9);
      expect(to).not.toBeNull();
      expect(to?.line).toBeGreaterThanOrEqual(0);
      expect(to?.line).toBeLessThanOrEqual(30);
      expect(to?.column).toBeGreaterThanOrEqual(0);
      expect(to?.column).toBeLessThanOrEqual(9);
    }),
  );
});
