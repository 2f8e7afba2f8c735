/**
 * Escape sequences that move the cursor, set titles or switch modes: GRUB and firmware send many. Neighbouring
 * parts share no character, so that nothing is tried twice.
 */
const NOT_COLOUR =
  /\u001b(?:\[[0-?]*[ -/]*[@-ln-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[()*+][0-9A-Za-z]|[=>78cDEHMNOZ])/g;
/** Control characters without a meaning in a line, other than tab and the escape that begins a colour. */
const CONTROL = /[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f]/g;
/** Characters that turn the direction of text and could make a line read as something it is not. */
const DIRECTION = /[\u202a-\u202e\u2066-\u2069]/g;
const COLOUR = /\u001b\[([0-9;:]*)m/g;

/**
 * Line of a log without what a browser cannot show; colours stay. A carriage return keeps what was
 * last on screen.
 */
export function cleanLine(text: string): string {
  const line = withoutReturnsAtEnd(text).replace(NOT_COLOUR, '').replace(DIRECTION, '\ufffd');
  const shown = line.includes('\r') ? (line.split('\r').findLast((part) => part !== '') ?? '') : line;
  return shown.replace(CONTROL, '');
}

function withoutReturnsAtEnd(text: string): string {
  let end = text.length;
  while (text[end - 1] === '\r') end -= 1;
  return text.slice(0, end);
}

/** Line without colours either: what search and the error heuristic look at. */
export function plainLine(text: string): string {
  return cleanLine(text).replace(COLOUR, '').replaceAll('\u001b', '');
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
 * Splits a clean line at its colour sequences (ECMA-48 SGR). The parts are text and class names, so
 * nothing in a log can become markup. Indexed and true colours become the nearest of the eight that
 * the theme defines with enough contrast. Every line starts plain: colours that one leaves open do
 * not bleed into lines shown next to it by chance.
 */
export function colouredParts(line: string): ColouredPart[] {
  const parts: ColouredPart[] = [];
  let style = PLAIN;
  let from = 0;
  const add = (text: string): void => {
    const clean = text.replaceAll('\u001b', '');
    if (clean !== '') parts.push({ text: clean, className: classesOf(style) });
  };
  for (const match of line.matchAll(COLOUR)) {
    add(line.slice(from, match.index));
    style = applyCodes(style, (match[1] ?? '').split(/[;:]/).map(Number));
    from = match.index + match[0].length;
  }
  add(line.slice(from));
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

/** Colour after 38 or 48, and how many codes it took. */
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
  // Shown reversed when it is asked for or has a background: the theme's text on a colour stays readable.
  const shown = style.background ?? style.colour;
  if (style.inverse || (style.background !== null && style.background !== 'black')) classes.push('ansi-reverse');
  if (shown !== null) classes.push(`ansi-${shown}`);
  for (const flag of ['bold', 'faint', 'italic', 'underline'] as const) if (style[flag]) classes.push(`ansi-${flag}`);
  return classes.join(' ');
}
