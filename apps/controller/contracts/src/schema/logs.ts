import { z } from 'zod';
import { EpochMs, Sequence } from './ids.js';
import { AnyStage } from './states.js';
import { Time } from './time.js';

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

/** Why lines are missing, and how a person reads it. */
export const GAP_REASONS = {
  'spool-full': 'the agent’s spool was full and what printed them could not be held back any longer',
  'disk-full': 'the disk of the agent’s spool was full',
  'disk-error': 'the agent’s spool could not be written',
  flood: 'one test printed far more than is kept of a test',
  'console-flood': 'the console printed faster than the agent could read it',
  'source-overrun': 'the kernel overwrote them in its ring buffer before they were read',
  'printk-dropped': 'the kernel dropped these messages, because it logged faster than this console could print',
  lost: 'the agent’s spool file was damaged, or the agent no longer had them',
} as const;
export type GapReason = keyof typeof GAP_REASONS;

/** Lines left out at this place of a stream. The record that carries it is one line of the stream itself. */
export const LogGap = z.object({
  lines: z.number().int().nonnegative(),
  /** Bytes of UTF-8 as far as they were seen; 0 when nobody saw them. */
  bytes: z.number().int().nonnegative(),
  /** One of GAP_REASONS; a newer agent may know more of them. */
  reason: z.string().regex(/^[a-z][a-z-]{0,39}$/),
});
export type LogGap = z.infer<typeof LogGap>;

export const LogLine = z.object({
  seq: Sequence,
  at: EpochMs,
  text: z.string().max(LOG_LINE_MAX),
  /** The text goes on where the line before it ends: both are parts of one long line. */
  continues: z.literal(true).optional(),
  gap: LogGap.optional(),
});
export type LogLine = z.infer<typeof LogLine>;

/** What stands in the log in the place of missing lines, for readers that know no gaps. */
export function gapText({ lines, bytes, reason }: LogGap): string {
  const why = (GAP_REASONS as Record<string, string>)[reason] ?? reason;
  const size = bytes > 0 ? ` (${bytes} bytes)` : '';
  return `[gap: ${lines} ${lines === 1 ? 'line is' : 'lines are'} missing here${size}: ${why}]`;
}

/** Stored lines as the text they were cut from: parts of a long line joined, each line ended. `first`: nothing precedes. */
export function joinedText(lines: readonly Pick<LogLine, 'text' | 'continues'>[], first: boolean): string {
  let text = '';
  for (const [index, line] of lines.entries()) {
    if (line.continues !== true && !(first && index === 0)) text += '\n';
    text += line.text;
  }
  return text;
}

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

/** Where the stages of an attempt begin in one of its streams. */
export const StageLines = z.object({
  stages: z.array(
    z.object({
      stage: AnyStage,
      /** Its first line, or the number of all lines when none came since. */
      fromSeq: z.number().int().nonnegative(),
    }),
  ),
});
export type StageLines = z.infer<typeof StageLines>;

export const LogPage = z.object({
  attemptId: z.uuid(),
  stream: LogStream,
  lines: z.array(LogLine),
  /** Lines stored so far: sequence numbers run from 0 to total − 1. None once they were removed. */
  total: z.number().int(),
  /** When retention removed the lines. */
  removedAt: Time.nullable().default(null),
  /** True when no more lines will come. */
  complete: z.boolean(),
});
export type LogPage = z.infer<typeof LogPage>;
