/*
 * Why this is not @tanstack/react-virtual, which draws the grid: a log has millions of lines and grows while it is
 * read. The library sums up the sizes of all items anew whenever their number changes: 0.2 s and 24 MB for each
 * message of the live channel at a million lines, 1.1 s at five million (version 3.19 of its core, measured in Node
 * with 18 px a line). And it makes an element as high as the list: 18 px × 1,000,000 is past the limit of Firefox
 * (17.8 million px), and 1,900,000 lines are past that of Chromium (33.5 million px). Here every line has the same
 * height, so that a position is a multiplication, and a list that is too high is moved against its element.
 */

/** No element is made higher than this, in pixels: far below the limits of the browsers. */
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

/** The part of an element that a list needs of it. */
export type ScrollElement = Pick<HTMLElement, 'scrollTop' | 'clientHeight'>;

/** What of a list is to be drawn. */
export interface LongView {
  /** Half-open range of lines. */
  from: number;
  to: number;
  /** Where the first of them stands on the canvas, in pixels. */
  startPx: number;
}

const NOTHING: LongView = { from: 0, to: 0, startPx: 0 };

/** A list of lines in an element that scrolls; draws only those that are seen, whatever their number. */
export class LongList {
  readonly #linePx: number;
  readonly #listeners = new Set<() => void>();
  #element: ScrollElement | null = null;
  #count = 0;
  #scale: LongScale;
  #place: LongPlace = { scrollTop: 0, offset: 0 };
  #view = NOTHING;

  constructor(linePx: number) {
    this.#linePx = linePx;
    this.#scale = longScale(0, linePx);
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly view = (): LongView => this.#view;

  /** The element scrolls the list from now on, until the function that comes back is called. */
  readonly attach = (element: HTMLElement | null): (() => void) => {
    this.#element = element;
    if (element === null) return () => undefined;
    const observer = new ResizeObserver(() => this.#show(this.#place));
    observer.observe(element);
    return () => {
      observer.disconnect();
      this.#element = null;
    };
  };

  /** Takes note of how many lines there are; what is seen stays. The canvas must have its new height. */
  setCount(count: number): void {
    this.#count = count;
    this.#scale = longScale(count, this.#linePx);
    this.#moveTo(this.#topPx());
  }

  /** Takes note of a scroll event; true when it went upwards. */
  noteScroll(): boolean {
    if (this.#element === null) return false;
    const before = this.#topPx();
    const { scrollTop, clientHeight } = this.#element;
    const next = scrolled(this.#scale, this.#place, scrollTop, clientHeight);
    if (next.scrollTop !== scrollTop) this.#element.scrollTop = next.scrollTop;
    this.#show({ ...next, scrollTop: this.#element.scrollTop });
    return next.scrollTop + next.offset < before;
  }

  scrollToLine(line: number, align: 'center' | 'end'): void {
    const height = this.#element?.clientHeight ?? 0;
    const top = align === 'end' ? (line + 1) * this.#linePx - height : (line + 0.5) * this.#linePx - height / 2;
    this.#moveTo(top);
  }

  /** The uppermost line that is seen. */
  first(): number {
    return Math.min(Math.max(0, this.#count - 1), Math.ceil(this.#topPx() / this.#linePx));
  }

  #topPx(): number {
    return this.#place.scrollTop + this.#place.offset;
  }

  #moveTo(topPx: number): void {
    if (this.#element === null) return;
    const { clientHeight } = this.#element;
    const room = Math.max(0, this.#scale.height - clientHeight);
    const next = placeAt(this.#scale, Math.min(room, Math.max(0, topPx)), clientHeight);
    if (this.#element.scrollTop !== next.scrollTop) this.#element.scrollTop = next.scrollTop;
    this.#show({ ...next, scrollTop: this.#element.scrollTop });
  }

  #show(place: LongPlace): void {
    this.#place = place;
    const first = Math.floor(this.#topPx() / this.#linePx);
    const seen = Math.ceil((this.#element?.clientHeight ?? 0) / this.#linePx);
    const from = Math.max(0, Math.min(this.#count, first - OVERSCAN));
    const to = Math.min(this.#count, first + seen + OVERSCAN);
    const startPx = from * this.#linePx - place.offset;
    if (this.#view.from === from && this.#view.to === to && this.#view.startPx === startPx) return;
    this.#view = { from, to, startPx };
    for (const listener of this.#listeners) listener();
  }
}
