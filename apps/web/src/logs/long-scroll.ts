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
 * A list that may be higher than the highest element: the canvas has at most the maximum height, and the list is shifted
 * against it by an offset that grows from page to page. All values are in pixels.
 */
export interface LongScale {
  /** Height of the list. */
  height: number;
  /** Height of the element. */
  canvas: number;
  /** Height of the part of the list in which the offset is constant. */
  page: number;
  /** Growth of the offset from one page to the next. */
  step: number;
}

/** Position of the list: the scroll position of the element, and the offset of the list. */
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

/** The position at which the list's pixel `top` is the first visible one in an element of `viewport` pixels. */
export function placeAt(scale: LongScale, top: number, viewport: number): LongPlace {
  const byPage = Math.round(Math.floor(Math.max(0, top) / scale.page) * scale.step);
  // When the last pages are shorter than the element, the canvas ends before the list does.
  const offset = scale.step === 0 ? 0 : Math.max(byPage, top - Math.max(0, scale.canvas - viewport));
  return { scrollTop: top - offset, offset };
}

/**
 * Position of the list after its element was scrolled from `before` to `scrollTop`. A small move scrolls the list by the
 * same distance; a large move, such as with the scroll bar, by the same share of the whole list.
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

/** The part of an element that a list uses. */
export type ScrollElement = Pick<HTMLElement, 'scrollTop' | 'clientHeight'>;

/** The part of a list that is drawn. */
export interface LongView {
  /** Half-open range of lines. */
  from: number;
  to: number;
  /** Position of the first of them on the canvas, in pixels. */
  startPx: number;
  /** The first visible line. */
  first: number;
  /** Height of the element in pixels. */
  heightPx: number;
}

const NOTHING: LongView = { from: 0, to: 0, startPx: 0, first: 0, heightPx: 0 };

/** A list of any number of lines in a scrolling element; only the visible lines are drawn. */
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

  /** Connects the list to its scrolling element, until the returned function is called. */
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

  /** Sets the number of lines; the view stays. The canvas must already have its new height. */
  setCount(count: number): void {
    this.#count = count;
    this.#scale = longScale(count, this.#linePx);
    this.#moveTo(this.#topPx());
  }

  /** Handles a scroll event; returns by how many pixels the person moved the list, downwards positive. */
  noteScroll(): number {
    if (this.#element === null) return 0;
    const before = this.#topPx();
    const { scrollTop, clientHeight } = this.#element;
    const next = scrolled(this.#scale, this.#place, scrollTop, clientHeight);
    if (next.scrollTop !== scrollTop) this.#element.scrollTop = next.scrollTop;
    this.#show({ ...next, scrollTop: this.#element.scrollTop });
    return next.scrollTop + next.offset - before;
  }

  scrollToLine(line: number, align: 'center' | 'end'): void {
    const height = this.#element?.clientHeight ?? 0;
    const top = align === 'end' ? (line + 1) * this.#linePx - height : (line + 0.5) * this.#linePx - height / 2;
    this.#moveTo(top);
  }

  /** The first visible line. */
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
    const heightPx = this.#element?.clientHeight ?? 0;
    const seen = Math.ceil(heightPx / this.#linePx);
    const from = Math.max(0, Math.min(this.#count, first - OVERSCAN));
    const to = Math.min(this.#count, first + seen + OVERSCAN);
    const startPx = from * this.#linePx - place.offset;
    const next = { from, to, startPx, first: Math.max(0, Math.min(this.#count, first)), heightPx };
    if (Object.entries(next).every(([name, value]) => this.#view[name as keyof LongView] === value)) return;
    this.#view = next;
    for (const listener of this.#listeners) listener();
  }
}
