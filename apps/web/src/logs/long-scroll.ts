import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState, type RefObject } from 'react';

/** Browsers do not lay out elements much higher than this, in pixels: Firefox ends at 17.8 million. */
const CANVAS_MAX_PX = 8_000_000;
/** Lines drawn beyond the edges. */
const OVERSCAN = 30;
const PAGES = 100;

/**
 * A list that may be higher than an element can be: the canvas is as high as it may be, and the list is moved
 * against it by an offset that grows from page to page. All in pixels.
 */
export interface LongScale {
  /** Of the list. */
  height: number;
  /** Of the element. */
  canvas: number;
  /** Of the list, in which the offset stays the same. */
  page: number;
  /** By which the offset grows from one page to the next. */
  step: number;
}

/** Where the list stands: what is scrolled, and what it is moved by. */
export interface LongPlace {
  scrollTop: number;
  offset: number;
}

export function longScale(count: number, linePx: number, canvasMaxPx = CANVAS_MAX_PX): LongScale {
  const height = count * linePx;
  if (height <= canvasMaxPx) return { height, canvas: height, page: Math.max(1, height), step: 0 };
  const page = canvasMaxPx / PAGES;
  const pages = Math.ceil(height / page);
  return { height, canvas: canvasMaxPx, page, step: (height - canvasMaxPx) / (pages - 1) };
}

/** The place at which the list's pixel `top` is uppermost in an element of `viewport` pixels. */
export function placeAt(scale: LongScale, top: number, viewport: number): LongPlace {
  const byPage = Math.round(Math.floor(Math.max(0, top) / scale.page) * scale.step);
  // Where the last pages are shorter than the element, it ends before the list does.
  const offset = scale.step === 0 ? 0 : Math.max(byPage, top - Math.max(0, scale.canvas - viewport));
  return { scrollTop: top - offset, offset };
}

/**
 * Where the list stands after its element was scrolled from `before` to `scrollTop`: a small move goes as far in the
 * list, a large one, such as of the scroll bar, as far as the whole list goes.
 */
export function scrolled(scale: LongScale, before: LongPlace, scrollTop: number, viewport: number): LongPlace {
  if (scale.step === 0) return { scrollTop, offset: 0 };
  const room = scale.height - viewport;
  if (Math.abs(scrollTop - before.scrollTop) < viewport) {
    return placeAt(scale, Math.min(room, Math.max(0, scrollTop + before.offset)), viewport);
  }
  const top = scrollTop * (room / (scale.canvas - viewport));
  return { scrollTop, offset: Math.min(placeAt(scale, top, viewport).offset, room - scrollTop) };
}

export interface LongScroll {
  canvas: number;
  /** Half-open range of lines to draw. */
  from: number;
  to: number;
  /** Where the first of them stands on the canvas, in pixels. */
  startPx: number;
  /** The uppermost line that is seen. */
  first: () => number;
  /** Takes note of a scroll event; true when it went upwards. */
  noteScroll: () => boolean;
  scrollToLine: (line: number, align: 'center' | 'end') => void;
}

/** Draws only the lines of a list that are seen, whatever their number. */
export function useLongScroll(frame: RefObject<HTMLElement | null>, count: number, linePx: number): LongScroll {
  const scale = useMemo(() => longScale(count, linePx), [count, linePx]);
  const place = useRef<LongPlace>({ scrollTop: 0, offset: 0 });
  /** The uppermost pixel of the list, rounded to lines so that not every pixel draws anew; what it is moved by; how high the frame is. */
  const [view, setView] = useState({ first: 0, offset: 0, heightPx: 0 });

  const show = useCallback(
    (next: LongPlace): void => {
      place.current = next;
      const first = Math.floor((next.scrollTop + next.offset) / linePx);
      const heightPx = frame.current?.clientHeight ?? 0;
      setView((old) =>
        old.first === first && old.offset === next.offset && old.heightPx === heightPx
          ? old
          : { first, offset: next.offset, heightPx },
      );
    },
    [frame, linePx],
  );
  const noteScroll = useCallback((): boolean => {
    const element = frame.current;
    if (element === null) return false;
    const before = place.current;
    const next = scrolled(scale, before, element.scrollTop, element.clientHeight);
    if (next.scrollTop !== element.scrollTop) element.scrollTop = next.scrollTop;
    show({ ...next, scrollTop: element.scrollTop });
    return next.scrollTop + next.offset < before.scrollTop + before.offset;
  }, [frame, scale, show]);
  const scrollToLine = useCallback(
    (line: number, align: 'center' | 'end'): void => {
      const element = frame.current;
      if (element === null) return;
      const room = Math.max(0, scale.height - element.clientHeight);
      const wanted =
        align === 'end' ? (line + 1) * linePx - element.clientHeight : (line + 0.5) * linePx - element.clientHeight / 2;
      const next = placeAt(scale, Math.min(room, Math.max(0, wanted)), element.clientHeight);
      element.scrollTop = next.scrollTop;
      show({ ...next, scrollTop: element.scrollTop });
    },
    [frame, linePx, scale, show],
  );
  const first = useCallback((): number => {
    const { scrollTop, offset } = place.current;
    return Math.min(Math.max(0, count - 1), Math.floor((scrollTop + offset) / linePx));
  }, [count, linePx]);

  // A list that has grown beyond the canvas stays where it was.
  useLayoutEffect(() => {
    const element = frame.current;
    if (element === null) return;
    const next = placeAt(scale, place.current.scrollTop + place.current.offset, element.clientHeight);
    if (next.offset !== place.current.offset) element.scrollTop = next.scrollTop;
    show({ ...next, scrollTop: element.scrollTop });
  }, [frame, scale, show]);
  useEffect(() => {
    const element = frame.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => show(place.current));
    observer.observe(element);
    return () => observer.disconnect();
  }, [frame, show]);

  const from = Math.max(0, Math.min(count, view.first - OVERSCAN));
  const to = Math.min(count, view.first + Math.ceil(view.heightPx / linePx) + OVERSCAN);
  return { canvas: scale.canvas, from, to, startPx: from * linePx - view.offset, first, noteScroll, scrollToLine };
}
