import { terminalTokens } from '@peerlab/contracts';

/** C0 without tab and line feed, DEL, C1. */
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/**
 * Text of a machine under test as a terminal may show it: colours, tabs and line feeds stay, and every other control
 * character becomes visible. Other sequences could move the cursor, rename the window or write to the clipboard.
 */
export function terminalText(text: string): string {
  let shown = '';
  for (const token of terminalTokens(text)) {
    const isHarmless = token.kind === 'text' || token.kind === 'colour';
    shown += isHarmless ? token.text : token.text.replace(CONTROL, pictureOf);
  }
  return shown;
}

/** The picture of a C0 character, which is at U+2400 plus its code, or of DEL; C1 characters have no picture. */
function pictureOf(control: string): string {
  const code = control.charCodeAt(0);
  if (code === 0x7f) return '\u2421';
  return code < 0x20 ? String.fromCharCode(0x2400 + code) : '\ufffd';
}
