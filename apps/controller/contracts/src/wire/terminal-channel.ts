import { z } from 'zod';
import { Name } from '../schema/ids.js';
import { TerminalKind, TerminalSize } from '../schema/terminals.js';

/** The channel of one terminal: text frames are JSON as below, binary frames are what is typed and what is printed. */
export const TERMINAL_PATH = '/api/v1/terminal';

export const FromTerminalUser = z.discriminatedUnion('type', [
  /** The first frame. A program sends its token as a header, a page here. */
  TerminalSize.extend({
    type: z.literal('open'),
    token: z.string().max(300).optional(),
    machine: Name,
    kind: TerminalKind,
  }),
  TerminalSize.extend({ type: z.literal('resize') }),
]);
export type FromTerminalUser = z.infer<typeof FromTerminalUser>;

export const ToTerminalUser = z.discriminatedUnion('type', [
  z.object({ type: z.literal('opened'), terminalId: z.uuid() }),
  /** The last frame. */
  z.object({ type: z.literal('closed'), reason: z.string() }),
]);
export type ToTerminalUser = z.infer<typeof ToTerminalUser>;
