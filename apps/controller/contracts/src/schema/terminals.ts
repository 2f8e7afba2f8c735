import { z } from 'zod';
import { Name } from './ids.js';
import { Time } from './time.js';

/** `console` = what the machine's serial console prints, read only. `shell` = a shell on it, for the holder of a reservation. */
export const TerminalKind = z.enum(['shell', 'console']);
export type TerminalKind = z.infer<typeof TerminalKind>;

/** Bytes of one piece: of what a terminal prints, and of what a person types. */
export const OUTPUT_MAX_BYTES = 16 * 1024;
export const INPUT_MAX_BYTES = 4096;
/** The same as base64. */
const base64Of = (bytes: number): number => Math.ceil(bytes / 3) * 4;
export const OutputData = z.base64().max(base64Of(OUTPUT_MAX_BYTES));
export const InputData = z.base64().max(base64Of(INPUT_MAX_BYTES));

/** Pieces that an agent sends before the person at the other end has taken the first of them. */
export const OUTPUT_WINDOW = 32;
/** What is kept of a terminal's output, in bytes; the oldest goes first. */
export const TERMINAL_RECORD_MAX_BYTES = 4 * 1024 * 1024;
/** Terminals of one machine that are open at the same time. */
export const TERMINALS_OPEN_MAX = 8;
/** Terminals of a machine whose record is kept; the oldest go first. */
export const TERMINALS_KEPT = 20;

export const TerminalSize = z.object({
  columns: z.number().int().min(1).max(1000),
  rows: z.number().int().min(1).max(1000),
});
export type TerminalSize = z.infer<typeof TerminalSize>;

/** Who had a terminal of a machine, and how much of what it printed is kept. */
export const TerminalRecord = z.object({
  id: z.uuid(),
  machine: Name,
  kind: TerminalKind,
  /** Of a shell. */
  reservationId: z.uuid().nullable(),
  /** Name of the user's token. */
  by: z.string(),
  /** Size with which it was opened. */
  columns: z.number().int().positive(),
  rows: z.number().int().positive(),
  openedAt: Time,
  closedAt: Time.nullable(),
  /** Why it was closed; null while it is open. */
  why: z.string().nullable(),
  keptBytes: z.number().int().nonnegative(),
  /** What was printed before that, and is gone. */
  removedBytes: z.number().int().nonnegative(),
});
export type TerminalRecord = z.infer<typeof TerminalRecord>;
