/**
 * The control sequences of terminals (ECMA-48, and the private ones of DEC and xterm) in text that a machine sent.
 * Every program that shows or matches such text takes it apart here, so that they agree on what is text.
 */

/** What a part of a text is for a terminal. Line feeds and tabs belong to the text. */
export type TerminalTokenKind =
  | 'text'
  /** Sets colours and weights (SGR); the only sequence that a log viewer may pass on. */
  | 'colour'
  /** Any other complete sequence: it moves the cursor, renames the window, reaches the clipboard, asks for input. */
  | 'sequence'
  /** One control character alone, also an escape that begins no complete sequence. */
  | 'control';

export interface TerminalToken {
  kind: TerminalTokenKind;
  /** The part as it was in the text: the texts of all tokens in order are the whole text. */
  text: string;
}

const ESCAPE = 0x1b;
const BELL = 0x07;

/** C0 without tab and line feed, DEL, C1. */
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** Second characters of the sequences that consist of two. */
const TWO_CHARACTERS = new Set('=>78cDEHMNOZ\\');
/** Second characters of those that consist of three: character sets and line sizes. */
const THREE_CHARACTERS = new Set('()*+#%');
/** Second characters that open a string, which BEL or ESC \ ends: DCS, SOS, OSC, PM, APC. */
const STRINGS = new Set('PX]^_');

/**
 * Splits a text into what a terminal shows and what it acts upon. Takes time linear in the length of the text. A
 * sequence without its end is a control character followed by text, so that it cannot hide what comes after it.
 */
export function* terminalTokens(text: string): Generator<TerminalToken, void, undefined> {
  let at = 0;
  while (at < text.length) {
    const control = nextControl(text, at);
    if (control > at) yield { kind: 'text', text: text.slice(at, control) };
    if (control === text.length) return;
    const token = controlToken(text, control);
    yield token;
    at = control + token.text.length;
  }
}

/** The text without control sequences and control characters, for matching and for plain display. */
export function plainText(text: string): string {
  if (nextControl(text, 0) === text.length) return text;
  let plain = '';
  for (const token of terminalTokens(text)) if (token.kind === 'text') plain += token.text;
  return plain;
}

function nextControl(text: string, from: number): number {
  CONTROL.lastIndex = from;
  return CONTROL.exec(text)?.index ?? text.length;
}

/** The token of the control character at `start`. */
function controlToken(text: string, start: number): TerminalToken {
  const second = text.charAt(start + 1);
  if (text.charCodeAt(start) === ESCAPE && second !== '') {
    if (second === '[') {
      const end = endOfParameters(text, start + 2);
      if (end !== null)
        return { kind: isColour(text, start + 2, end) ? 'colour' : 'sequence', text: text.slice(start, end) };
    } else {
      const end = endOfEscape(text, start, second);
      if (end !== null) return { kind: 'sequence', text: text.slice(start, end) };
    }
  }
  return { kind: 'control', text: text.charAt(start) };
}

/** End of a sequence ESC [: parameter bytes, intermediate bytes, one final byte. Null when it has no end. */
function endOfParameters(text: string, from: number): number | null {
  let at = from;
  while (isBetween(text.charCodeAt(at), 0x30, 0x3f)) at += 1;
  while (isBetween(text.charCodeAt(at), 0x20, 0x2f)) at += 1;
  return isBetween(text.charCodeAt(at), 0x40, 0x7e) ? at + 1 : null;
}

function isColour(text: string, from: number, end: number): boolean {
  if (text.charAt(end - 1) !== 'm') return false;
  for (let at = from; at < end - 1; at += 1) if (!isBetween(text.charCodeAt(at), 0x30, 0x3b)) return false;
  return true;
}

/** End of a sequence that begins with ESC and `second`, which is not `[`. Null when it has no end. */
function endOfEscape(text: string, start: number, second: string): number | null {
  if (TWO_CHARACTERS.has(second)) return start + 2;
  if (THREE_CHARACTERS.has(second)) return isBetween(text.charCodeAt(start + 2), 0x30, 0x7e) ? start + 3 : null;
  if (!STRINGS.has(second)) return null;
  // A string stops at the next control character, so that many unfinished ones are not searched again and again.
  const end = nextControl(text, start + 2);
  if (text.charCodeAt(end) === BELL) return end + 1;
  return text.charCodeAt(end) === ESCAPE && text.charAt(end + 1) === '\\' ? end + 2 : null;
}

/** False for the NaN that charCodeAt gives after the end of a text. */
function isBetween(code: number, low: number, high: number): boolean {
  return code >= low && code <= high;
}
