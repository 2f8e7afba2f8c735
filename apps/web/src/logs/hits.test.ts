import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { firstFrom, hitMarks, hitsText, nextHit } from './hits.js';

describe('hits', () => {
  const hits = [3, 10, 11, 90];
  it('are stepped through from where the reader is, on at the other end', () => {
    expect(nextHit(hits, 9, 1)).toEqual({ place: 1, hasWrapped: false });
    expect(nextHit(hits, 10, 1)).toEqual({ place: 2, hasWrapped: false });
    expect(nextHit(hits, 90, 1)).toEqual({ place: 0, hasWrapped: true });
    expect(nextHit(hits, 10, -1)).toEqual({ place: 0, hasWrapped: false });
    expect(nextHit(hits, 2, -1)).toEqual({ place: 3, hasWrapped: true });
    expect(nextHit([], 2, -1)).toBeNull();
  });
  it('are all visited by as many steps, from any line', () => {
    const lines = fc.uniqueArray(fc.nat(200), { minLength: 1 }).map((all) => all.toSorted((a, b) => a - b));
    fc.assert(
      fc.property(lines, fc.nat(200), fc.constantFrom(1 as const, -1 as const), (all, start, direction) => {
        const seen = new Set<number>();
        let at = start;
        for (const _ of all) {
          const next = nextHit(all, at, direction);
          at = all[next?.place ?? -1] ?? -1;
          seen.add(at);
        }
        expect(seen.size).toBe(all.length);
        expect(firstFrom(all, at)).toBe(all.indexOf(at));
      }),
    );
  });
  it('have few marks beside the scrollbar, whatever their number', () => {
    expect(hitMarks([0, 1, 500_000, 999_999], 1_000_000, 100)).toEqual([0, 0.5, 0.99]);
    const many = hitMarks(
      Array.from({ length: 100_000 }, (_, line) => line),
      100_000,
      150,
    );
    expect(many).toHaveLength(150);
    expect(hitMarks([5], 0, 10)).toEqual([]);
  });
  it.each([
    [{ count: 0, place: null, share: 1, hasWrapped: false }, 'no hits'],
    [{ count: 1, place: null, share: 1, hasWrapped: false }, '1 hit'],
    [{ count: 812, place: 2, share: 1, hasWrapped: true }, '3 of 812 hits, went on at the other end'],
    [{ count: 12, place: null, share: 0.409, hasWrapped: false }, '12 hits, searched 40 %'],
  ])('%o are told as %s', (state, text) => {
    expect(hitsText(state)).toBe(text);
  });
});
