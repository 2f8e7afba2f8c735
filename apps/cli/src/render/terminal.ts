/** Colours and weights; every other sequence may move the cursor, rename the window or reach the clipboard. */
const HARMLESS = /\u001b\[[0-9;:]*m/g;
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** U+2400 and on show C0 by name; C1 has no pictures. */
function pictureOf(control: string): string {
  const code = control.charCodeAt(0);
  if (code === 0x7f) return '\u2421';
  return code < 0x20 ? String.fromCharCode(0x2400 + code) : '\ufffd';
}

/**
 * Text of a machine under test as a terminal may show it: with its colours, and with every other control
 * character made visible. Line feeds and tabs stay. What a kernel prints is not to be trusted with a terminal.
 */
export function terminalText(text: string): string {
  let shown = '';
  let from = 0;
  for (const match of text.matchAll(HARMLESS)) {
    shown += text.slice(from, match.index).replace(CONTROL, pictureOf) + match[0];
    from = match.index + match[0].length;
  }
  return shown + text.slice(from).replace(CONTROL, pictureOf);
}
