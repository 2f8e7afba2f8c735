/** C0, DEL, C1, and the two line separators of Unicode: none of them belongs into one line of text for people. */
// Control characters are what this looks for.
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;
const LONE_SURROGATE = /[\u{d800}-\u{dfff}]/gu;

/**
 * At most `maxLength` UTF-16 units of `text`, never half a character; what was cut off is marked by `…`. The
 * result shares no memory with `text`: V8 keeps a long string alive for a short piece of it.
 */
export function cutText(text: string, maxLength: number): string {
  if (text.length <= maxLength) return copyOf(text);
  let end = Math.max(0, maxLength - 1);
  const last = text.charCodeAt(end - 1);
  if (last >= 0xd800 && last <= 0xdbff) end -= 1;
  return copyOf(`${text.slice(0, end)}…`);
}

/** `cutText` of a name or a message that has to stay on one line: a tab becomes a space, any other control character U+FFFD. */
export function cleanText(text: string, maxLength: number): string {
  return cutText(text, maxLength).replaceAll('\t', ' ').replace(CONTROL, '\ufffd').replace(LONE_SURROGATE, '\ufffd');
}

/** JSON is the one way to a new string that browsers have too. */
const copyOf = (text: string): string => JSON.parse(JSON.stringify(text)) as string;
