import fc from 'fast-check';
import { expect, it } from 'vitest';
import { moved } from './moves.js';
import { isDense, seen } from './window.js';

it('draws all that is seen, whatever was scrolled, and not much more', () => {
  const pixels = fc.integer({ min: 0, max: 200_000 });
  fc.assert(
    fc.property(
      pixels,
      fc.integer({ min: 1, max: 3000 }),
      fc.integer({ min: 1, max: 5000 }),
      (start, length, count) => {
        const [from, to] = seen(start, length, 26, count, 12);
        expect(from).toBeGreaterThanOrEqual(0);
        expect(to).toBeLessThanOrEqual(count);
        expect(from).toBeLessThanOrEqual(Math.min(count, Math.floor(start / 26)));
        expect(to).toBeGreaterThanOrEqual(Math.min(count, Math.ceil((start + length) / 26)));
        expect(to - from).toBeLessThanOrEqual(length / 26 + 4 * 12 + 2);
      },
    ),
  );
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
