import fc from 'fast-check';
import { expect, it } from 'vitest';
import { moved } from './moves.js';
import { isDense, stepped } from './window.js';

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
  expect(isDense(120, 16)).toBe(false);
  expect(isDense(500, 300)).toBe(true);
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
