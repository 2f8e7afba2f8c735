/** What may be pasted at once, in bytes. */
export const PASTE_MAX_BYTES = 1024 * 1024;

/** C0 without tab, line feed and carriage return, DEL, C1. */
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g;

/**
 * A text from the clipboard as it may be typed into a shell. Control characters are left out: they are keys, such as the one that ends
 * what a shell takes for pasted, and a page from which a command was copied can hide them in it.
 * @returns null when it is longer than PASTE_MAX_BYTES
 */
export function pasteText(text: string): string | null {
  if (text.length > PASTE_MAX_BYTES) return null;
  const clean = text.replace(CONTROL, '');
  return new TextEncoder().encode(clean).length > PASTE_MAX_BYTES ? null : clean;
}

/** The bytes of keys that are no text, one for each character: mouse reports of old programs. */
export function bytesOfKeys(keys: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(keys, (key) => key.charCodeAt(0) & 0xff);
}
