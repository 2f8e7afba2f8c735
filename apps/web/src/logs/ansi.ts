import { plainText, terminalTokens } from '@peerlab/contracts';

/** Characters that change the direction of text and could make a line look like another one. */
const DIRECTION = /[\u202a-\u202e\u2066-\u2069]/g;

/**
 * A displayed log line: its text with its colours. Other control sequences and characters are dropped; GRUB
 * and firmware send many. Of a line with carriage returns, the last part with text is shown, as on a screen.
 */
export function cleanLine(text: string): string {
  let shown = '';
  let part = '';
  let hasText = false;
  const endPart = (): void => {
    if (hasText) shown = part;
    part = '';
    hasText = false;
  };
  for (const token of terminalTokens(text)) {
    if (token.kind === 'control' && token.text === '\r') endPart();
    if (token.kind === 'text') hasText = true;
    if (token.kind === 'text' || token.kind === 'colour') part += token.text;
  }
  endPart();
  return shown.replace(DIRECTION, '\ufffd');
}

/** Line without colours: what the search and the error heuristic read. */
export function plainLine(text: string): string {
  return plainText(cleanLine(text));
}

const COLOURS = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'] as const;
type Colour = (typeof COLOURS)[number];

interface Style {
  colour: Colour | null;
  background: Colour | null;
  bold: boolean;
  faint: boolean;
  italic: boolean;
  underline: boolean;
  inverse: boolean;
}
const PLAIN: Style = {
  colour: null,
  background: null,
  bold: false,
  faint: false,
  italic: false,
  underline: false,
  inverse: false,
};

export interface ColouredPart {
  text: string;
  /** Class names of styles/logs.css; empty for plain text. */
  className: string;
}

/**
 * Splits a clean line at its colour sequences (ECMA-48 SGR). The parts are text and class names, so nothing in a log
 * can become markup. Indexed and true colours become the nearest of the eight that the theme defines with enough
 * contrast. Every line starts plain: colours that a line leaves open do not continue in the line shown below it.
 */
export function colouredParts(line: string): ColouredPart[] {
  const parts: ColouredPart[] = [];
  let style = PLAIN;
  for (const { kind, text } of terminalTokens(line)) {
    if (kind === 'text') parts.push({ text, className: classesOf(style) });
    if (kind === 'colour') style = applyCodes(style, text.slice(2, -1).split(/[;:]/).map(Number));
  }
  return parts;
}

function applyCodes(before: Style, codes: number[]): Style {
  let style = before;
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index] ?? 0;
    if (code === 38 || code === 48) {
      const [colour, used] = extendedColour(codes.slice(index + 1));
      style = code === 38 ? { ...style, colour } : { ...style, background: colour };
      index += used;
    } else style = applyCode(style, code);
  }
  return style;
}

function applyCode(style: Style, code: number): Style {
  if (code === 0) return PLAIN;
  if (code === 1) return { ...style, bold: true };
  if (code === 2) return { ...style, faint: true };
  if (code === 3) return { ...style, italic: true };
  if (code === 4) return { ...style, underline: true };
  if (code === 7) return { ...style, inverse: true };
  if (code === 22) return { ...style, bold: false, faint: false };
  if (code === 23) return { ...style, italic: false };
  if (code === 24) return { ...style, underline: false };
  if (code === 27) return { ...style, inverse: false };
  if (code === 39) return { ...style, colour: null };
  if (code === 49) return { ...style, background: null };
  if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) return { ...style, colour: COLOURS[code % 10] ?? null };
  if ((code >= 40 && code <= 47) || (code >= 100 && code <= 107)) {
    return { ...style, background: COLOURS[code % 10] ?? null };
  }
  return style;
}

/** Colour that the codes after 38 or 48 name, and how many codes they are. */
function extendedColour(codes: number[]): [Colour | null, number] {
  if (codes[0] === 5) return [indexedColour(codes[1] ?? 0), 2];
  if (codes[0] === 2) return [nearest(codes[1] ?? 0, codes[2] ?? 0, codes[3] ?? 0), 4];
  return [null, 0];
}

function indexedColour(index: number): Colour | null {
  if (index < 16) return COLOURS[index % 8] ?? null;
  if (index >= 232) return index < 244 ? 'black' : 'white';
  const cube = index - 16;
  const level = (part: number): number => (part % 6) * 51;
  return nearest(level(Math.floor(cube / 36)), level(Math.floor(cube / 6)), level(cube));
}

/** The eight colours are the corners of the RGB cube: bit 0 red, bit 1 green, bit 2 blue. */
function nearest(red: number, green: number, blue: number): Colour | null {
  const threshold = Math.max(red, green, blue, 128) / 2;
  return COLOURS[(red > threshold ? 1 : 0) + (green > threshold ? 2 : 0) + (blue > threshold ? 4 : 0)] ?? null;
}

function classesOf(style: Style): string {
  const classes: string[] = [];
  // Shown reversed when it is inverse or has a background: the theme's text colour is readable on each colour.
  const shown = style.background ?? style.colour;
  if (style.inverse || (style.background !== null && style.background !== 'black')) classes.push('ansi-reverse');
  if (shown !== null) classes.push(`ansi-${shown}`);
  for (const flag of ['bold', 'faint', 'italic', 'underline'] as const) if (style[flag]) classes.push(`ansi-${flag}`);
  return classes.join(' ');
}
