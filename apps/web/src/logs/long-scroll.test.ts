import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { longScale, placeAt, scrolled, type LongPlace } from './long-scroll.js';

const LINE = 18;
const CANVAS = 80_000;
const VIEW = 600;

const topOf = ({ scrollTop, offset }: LongPlace): number => scrollTop + offset;
const counts = fc.integer({ min: 34, max: 400_000 });
const scaled = counts.map((count) => longScale(count, LINE, CANVAS));

describe('a list that is higher than an element can be', () => {
  it('has every line within the canvas', () => {
    fc.assert(
      fc.property(scaled, fc.double({ min: 0, max: 1, noNaN: true }), (scale, share) => {
        const top = Math.floor(share * (scale.height - VIEW));
        const place = placeAt(scale, top, VIEW);
        expect(topOf(place)).toBe(top);
        expect(place.scrollTop).toBeGreaterThanOrEqual(-1);
        expect(place.scrollTop).toBeLessThanOrEqual(scale.canvas - VIEW + 1);
      }),
    );
  });

  it('moves as far as the wheel does, also from page to page', () => {
    const wheels = fc.array(fc.integer({ min: -VIEW + 1, max: VIEW - 1 }), { maxLength: 60 });
    fc.assert(
      fc.property(scaled, fc.double({ min: 0, max: 1, noNaN: true }), wheels, (scale, share, deltas) => {
        let place = placeAt(scale, Math.floor(share * (scale.height - VIEW)), VIEW);
        for (const delta of deltas) {
          const before = topOf(place);
          place = scrolled(scale, place, place.scrollTop + delta, VIEW);
          const clamped = Math.max(0, Math.min(scale.height - VIEW, before + delta));
          expect(Math.abs(topOf(place) - (scale.step === 0 ? before + delta : clamped))).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  it('goes from one end to the other with the scroll bar', () => {
    const scale = longScale(5_000_000, LINE, CANVAS);
    const start = placeAt(scale, 0, VIEW);
    const end = scrolled(scale, start, scale.canvas - VIEW, VIEW);
    expect(topOf(end)).toBe(scale.height - VIEW);
    expect(topOf(scrolled(scale, end, 0, VIEW))).toBe(0);
    const middle = topOf(scrolled(scale, start, (scale.canvas - VIEW) / 2, VIEW));
    expect(middle / scale.height).toBeCloseTo(0.5, 1);
  });

  it('is not moved at all when it fits', () => {
    expect(longScale(100, LINE, CANVAS)).toMatchObject({ height: 1800, canvas: 1800, step: 0 });
    expect(placeAt(longScale(100, LINE, CANVAS), 1200, VIEW)).toEqual({ scrollTop: 1200, offset: 0 });
  });
});
