import { z } from 'zod';
import { EpochMs, Sequence } from './ids.js';

/** serial = console · kernel = /dev/kmsg · test = suite output · agent = what the agent did · build = build log */
export const LOG_STREAMS = ['serial', 'kernel', 'test', 'agent', 'build'] as const;
export const LogStream = z.enum(LOG_STREAMS);
export type LogStream = z.infer<typeof LogStream>;

/** Longest line in characters; the spool splits longer ones, so nothing is cut off. */
export const LOG_LINE_MAX = 8192;
/** Lines in one frame; a thousand 110-character lines are about 150 KiB. */
export const LOG_BATCH_MAX = 2000;
/** Largest frame either side of the agent channel accepts, in bytes. */
export const FRAME_MAX_BYTES = 8 * 1024 * 1024;

export const LogLine = z.object({ seq: Sequence, at: EpochMs, text: z.string().max(LOG_LINE_MAX) });
export type LogLine = z.infer<typeof LogLine>;

const UNSTORABLE = /[\u0000\u{d800}-\u{dfff}]/gu;

/**
 * Makes any text storable in Postgres and splits it at LOG_LINE_MAX: NUL becomes ␀, lone surrogates
 * become U+FFFD. ANSI sequences stay; who shows the text escapes it.
 */
export function storableLines(text: string): string[] {
  const clean = text.replace(UNSTORABLE, (c) => (c === '\u0000' ? '\u2400' : '\ufffd'));
  if (clean.length <= LOG_LINE_MAX) return [clean];
  const parts: string[] = [];
  for (let start = 0; start < clean.length; ) {
    let end = Math.min(start + LOG_LINE_MAX, clean.length);
    const last = clean.charCodeAt(end - 1);
    if (end < clean.length && last >= 0xd800 && last <= 0xdbff) end -= 1;
    parts.push(clean.slice(start, end));
    start = end;
  }
  return parts;
}
