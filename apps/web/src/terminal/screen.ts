import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import { matchesKey, strokeName } from '../keys.js';
import { copyText } from '../ui/copy.js';
import { pasteText } from './paste.js';
import { FONT_PX, onThemeChange, readTheme } from './theme.js';

/** Lines that can be scrolled back to. */
const SCROLLBACK_LINES = 10_000;
/** As of the pages: text that a machine paints in the colour of its ground can be read as well. */
const CONTRAST_MIN = 4.5;

/**
 * Commands to the operating system that xterm knows: titles, colours, links, the clipboard, and back to the colours. None is followed:
 * what a machine prints has no effect beyond its own letters.
 */
const OSC_IGNORED = [0, 1, 2, 4, 8, 10, 11, 12, 52, 104, 110, 111, 112];
/** Modes in which the mouse is the program's. */
const MOUSE_MODES = new Set([9, 1000, 1001, 1002, 1003, 1005, 1006, 1015, 1016]);

export interface ScreenOptions {
  /** For screen readers. */
  label: string;
  /** Keys as text, a pasted text among them; null = it is only looked at, and keys scroll. */
  onText: ((text: string) => void) | null;
  /** Keys that are bytes: reports of the mouse. */
  onKeys?: (keys: string) => void;
  onResize?: (size: { columns: number; rows: number }) => void;
  /** The person leaves it by the keyboard. */
  onLeave: () => void;
  /** A text was too long to be pasted. */
  onPasteRefused?: () => void;
  /** Whether screen readers read what is drawn. */
  isReadAloud: boolean;
  /** Its width where that is not the one of its place. */
  columns?: number;
}

/** A terminal within `place`, as large as it is there. */
export class Screen {
  readonly #terminal: Terminal;
  readonly #fit = new FitAddon();
  readonly #options: ScreenOptions;
  readonly #ends: (() => void)[] = [];

  constructor(place: HTMLElement, options: ScreenOptions) {
    this.#options = options;
    const { onText, onKeys, onResize, label } = options;
    const look = (): ReturnType<typeof readTheme> => readTheme(place, onText !== null);
    const terminal = new Terminal({
      ...look(),
      fontSize: FONT_PX,
      scrollback: SCROLLBACK_LINES,
      minimumContrastRatio: CONTRAST_MIN,
      screenReaderMode: options.isReadAloud,
      disableStdin: onText === null,
      cursorInactiveStyle: onText === null ? 'none' : 'outline',
      // A link of OSC 8 never comes to be; this is the second lock.
      linkHandler: { activate: () => undefined },
    });
    this.#terminal = terminal;
    for (const number of OSC_IGNORED) terminal.parser.registerOscHandler(number, () => true);
    if (onText === null) ignoreMouseModes(terminal);
    else terminal.onData(onText);
    if (onKeys !== undefined) terminal.onBinary(onKeys);
    terminal.onResize(({ cols, rows }) => onResize?.({ columns: cols, rows }));
    terminal.attachCustomKeyEventHandler((event) => this.#onKey(event));
    terminal.loadAddon(this.#fit);
    terminal.open(place);
    terminal.textarea?.setAttribute('aria-label', label);
    const onPaste = (event: ClipboardEvent): void => this.#onPaste(event);
    // Before xterm hears of it.
    place.addEventListener('paste', onPaste, { capture: true });
    this.#ends.push(() => place.removeEventListener('paste', onPaste, { capture: true }));
    this.#ends.push(onThemeChange(() => Object.assign(terminal.options, look())));
    const observer = new ResizeObserver(() => this.#fitNow());
    observer.observe(place);
    this.#ends.push(() => observer.disconnect());
    this.#fitNow();
  }

  get size(): { columns: number; rows: number } {
    return { columns: this.#terminal.cols, rows: this.#terminal.rows };
  }

  /** Draws what was printed; `drawn` is called when it was. */
  write(data: Uint8Array | string, drawn?: () => void): void {
    this.#terminal.write(data, drawn);
  }

  /** Empties it, and forgets every mode that a program has set. */
  reset(): void {
    this.#terminal.reset();
  }

  focus(): void {
    this.#terminal.focus();
  }

  /** What an arrow key sends, by the final letter of its sequence: a program may ask for the other one. */
  arrow(final: 'A' | 'B' | 'C' | 'D'): string {
    return `\u001b${this.#terminal.modes.applicationCursorKeysMode ? 'O' : '['}${final}`;
  }

  /** What is selected, or else all that can be scrolled to. */
  text(): string {
    if (this.#terminal.hasSelection()) return this.#terminal.getSelection();
    const { active } = this.#terminal.buffer;
    let text = '';
    for (let at = 0; at < active.length; at += 1) {
      const line = active.getLine(at);
      // A line that was too long for the terminal goes on in the next one.
      text += `${at > 0 && line?.isWrapped !== true ? '\n' : ''}${line?.translateToString(true) ?? ''}`;
    }
    return text.trimEnd();
  }

  /** Lets screen readers read what is drawn; it takes the browser more time. */
  readAloud(isOn: boolean): void {
    this.#terminal.options.screenReaderMode = isOn;
  }

  dispose(): void {
    for (const end of this.#ends) end();
    this.#terminal.dispose();
  }

  #fitNow(): void {
    const fitting = this.#fit.proposeDimensions();
    // A place that is not shown has no size.
    if (fitting === undefined || Number.isNaN(fitting.cols) || Number.isNaN(fitting.rows)) return;
    this.#terminal.resize(Math.min(1000, this.#options.columns ?? fitting.cols), Math.min(1000, fitting.rows));
  }

  /** Whether xterm is to act on a key. */
  #onKey(event: KeyboardEvent): boolean {
    if (event.type !== 'keydown') return this.#options.onText !== null;
    const stroke = strokeName(event);
    if (matchesKey('leaveTerminal', stroke, null)) {
      event.preventDefault();
      this.#options.onLeave();
      return false;
    }
    // With the capitals locked, Ctrl+c is still the one that interrupts.
    if (matchesKey('copyTerminal', stroke, null) && (event.shiftKey || event.key === 'Insert')) {
      event.preventDefault();
      void copyText(this.text()).finally(() => this.focus());
      return false;
    }
    if (this.#options.onText !== null) return true;
    if (this.#scroll(event.key)) event.preventDefault();
    return false;
  }

  #scroll(key: string): boolean {
    const terminal = this.#terminal;
    if (key === 'ArrowUp') terminal.scrollLines(-1);
    else if (key === 'ArrowDown') terminal.scrollLines(1);
    else if (key === 'PageUp') terminal.scrollPages(-1);
    else if (key === 'PageDown') terminal.scrollPages(1);
    else if (key === 'Home') terminal.scrollToTop();
    else if (key === 'End') terminal.scrollToBottom();
    else return false;
    return true;
  }

  #onPaste(event: ClipboardEvent): void {
    event.preventDefault();
    event.stopPropagation();
    if (this.#options.onText === null) return;
    const text = pasteText(event.clipboardData?.getData('text/plain') ?? '');
    if (text === null) this.#options.onPasteRefused?.();
    else this.#terminal.paste(text);
  }
}

/** What is only looked at has no program that could use the mouse; a mode would take the selection from the person. */
function ignoreMouseModes(terminal: Terminal): void {
  terminal.parser.registerCsiHandler({ prefix: '?', final: 'h' }, (params) =>
    params.flat().some((mode) => MOUSE_MODES.has(mode)),
  );
}
