import fc from 'fast-check';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { LongList, longScale, placeAt, scrolled, type LongPlace } from './long-scroll.js';

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

/** The scrolling part of an element; it clamps as a browser does. */
function element(canvasPx: () => number): HTMLElement {
  let top = 0;
  return {
    clientHeight: VIEW,
    get scrollTop() {
      return top;
    },
    set scrollTop(wanted: number) {
      top = Math.max(0, Math.min(canvasPx() - VIEW, wanted));
    },
  } as HTMLElement;
}

describe('a list of five million lines', () => {
  const list = new LongList(LINE);
  let count = 0;
  const frame = element(() => longScale(count, LINE).canvas);
  const grow = (lines: number): void => {
    count = lines;
    list.setCount(lines);
  };
  afterAll(() => void vi.unstubAllGlobals());
  vi.stubGlobal(
    'ResizeObserver',
    class {
      observe(): void {}
      disconnect(): void {}
    },
  );
  list.attach(frame);

  it('shows any line at its place, and the last one at the end', () => {
    grow(5_000_000);
    for (const line of [0, 17, 123_456, 2_499_999, 4_999_999]) {
      list.scrollToLine(line, 'center');
      const { from, to, startPx } = list.view();
      expect(from).toBeLessThanOrEqual(line);
      expect(to).toBeGreaterThan(line);
      const fromTop = startPx + (line - from) * LINE - frame.scrollTop;
      expect(fromTop).toBeGreaterThanOrEqual(0);
      expect(fromTop).toBeLessThanOrEqual(VIEW - LINE);
    }
    list.scrollToLine(4_999_999, 'end');
    expect(longScale(count, LINE).canvas - frame.scrollTop - VIEW).toBeLessThan(1);
  });

  it('stays where it is when lines come, and goes down line by line', () => {
    list.scrollToLine(2_000_000, 'center');
    const first = list.first();
    grow(6_000_000);
    expect(list.first()).toBe(first);
    for (let turn = 1; turn <= 200; turn += 1) {
      frame.scrollTop += 10 * LINE;
      expect(list.noteScroll()).toBe(10 * LINE);
      expect(list.first()).toBe(first + 10 * turn);
    }
    frame.scrollTop -= LINE;
    expect(list.noteScroll()).toBe(-LINE);
  });
});
