import { AnsiUp } from 'ansi_up';

/** Escape sequences that move the cursor, set titles or switch modes: GRUB and firmware send many. */
const NOT_COLOUR =
  /\u001b(?:\[[0-9;:?<=>!]*[ -/]*[@-ln-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[()*+][0-9A-Za-z]|[=>78cDEHMNOZ])/g;
/** Control characters without a meaning in a line, other than tab and the escape that begins a colour. */
const CONTROL = /[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f]/g;
/** Characters that turn the direction of text and could make a line read as something it is not. */
const DIRECTION = /[\u202a-\u202e\u2066-\u2069]/g;

/** Line of a log without what a browser cannot show; SGR colours stay. A carriage return keeps what was last on screen. */
export function cleanLine(text: string): string {
  const line = text.replace(/\r+$/, '').replace(NOT_COLOUR, '').replace(DIRECTION, '\ufffd');
  const shown = line.includes('\r') ? (line.split('\r').findLast((part) => part !== '') ?? '') : line;
  return shown.replace(CONTROL, '');
}

/** Line without colours either: what search and the error heuristic look at. */
export function plainLine(text: string): string {
  return cleanLine(text).replace(/\u001b\[[0-9;:]*m?/g, '');
}

/**
 * HTML of a line with colours, or null when it has none and can be shown as text. ansi_up escapes
 * the text; links from escape sequences are off, so that a log cannot plant one.
 */
export function colouredHtml(text: string): string | null {
  if (!text.includes('\u001b')) return null;
  // A fresh parser per line: colours that a line leaves open do not bleed into lines shown by chance.
  const parser = new AnsiUp();
  parser.use_classes = true;
  parser.escape_html = true;
  parser.url_allowlist = {};
  return parser.ansi_to_html(text);
}
