import { z } from 'zod';
import { Name } from '../schema/ids.js';
import { TerminalKind, TerminalSize } from '../schema/terminals.js';

/** The channel of one terminal: text frames are JSON as below, binary frames are what is typed and what is printed. */
export const TERMINAL_PATH = '/api/v1/terminal';

/** Bytes that a user with `paced` is sent beyond those that it drew. */
export const UNDRAWN_MAX_BYTES = 256 * 1024;
/** Interval at which such a user hears that its controller is there, in seconds. */
export const TERMINAL_BEAT_SECONDS = 5;

export const FromTerminalUser = z.discriminatedUnion('type', [
  /** The first frame. A program sends its token as a header, a page here. */
  TerminalSize.extend({
    type: z.literal('open'),
    token: z.string().max(300).optional(),
    machine: Name,
    kind: TerminalKind,
    /** It says what it drew, and hears beats: a browser reads all that is sent, however slowly it draws it. */
    paced: z.boolean().optional(),
  }),
  TerminalSize.extend({ type: z.literal('resize') }),
  /** Bytes drawn so far, of all that this connection was sent. */
  z.object({ type: z.literal('drawn'), bytes: z.number().int().nonnegative() }),
]);
export type FromTerminalUser = z.infer<typeof FromTerminalUser>;

export const ToTerminalUser = z.discriminatedUnion('type', [
  z.object({ type: z.literal('opened'), terminalId: z.uuid() }),
  z.object({ type: z.literal('beat') }),
  /** The last frame; with the code of the problem where it was not opened. */
  z.object({ type: z.literal('closed'), reason: z.string(), code: z.string().optional() }),
]);
export type ToTerminalUser = z.infer<typeof ToTerminalUser>;
