import { z } from 'zod';
import type { Access } from '../schema/access.js';
import { Sequence } from '../schema/ids.js';
import { LogLine, LogStream } from '../schema/logs.js';
import { Role } from '../schema/participants.js';

export const LIVE_PATH = '/api/v1/live';

/** Who may use what the channel offers. What is not named here is not offered. */
export const LIVE_ACCESS = {
  runs: 'read',
  machines: 'read',
  grid: 'read',
  builds: 'read',
  /** `run:<uuid>` */
  run: 'read',
  /** Lines of a log. */
  tail: 'read',
} as const satisfies Record<string, Access>;

/** Close codes of the live channel: a token is needed or was refused; the caller asks for too much. */
export const LIVE_CLOSE = { token: 4401, limit: 4429 } as const;

/** `runs`, `machines`, `grid`, `builds`, or `run:<uuid>`. */
export const LiveTopic = z.string().regex(/^(runs|machines|grid|builds|run:[0-9a-f-]{36})$/);

/**
 * Up to where a browser was told of changes. Only controllers read it: it means the same to all on one
 * database, also after a restart.
 */
export const LiveCursor = z.string().max(16_000);
export type LiveCursor = z.infer<typeof LiveCursor>;

/** A page comes with the cursor of the moment it was asked for, in `<meta name="…" content="">`: all that it fetches is newer. */
export const LIVE_CURSOR_META = 'live-cursor';

/** Interval of server heartbeats; a connection that is silent for three of them is dead. */
export const LIVE_BEAT_SECONDS = 20;

export const FromBrowser = z.discriminatedUnion('type', [
  /**
   * Comes first where reads need a token: browsers cannot send headers with a WebSocket, and an address with a
   * token in it would end up in logs. Answered only when it is refused, by the close code LIVE_CLOSE.token.
   */
  z.object({ type: z.literal('sign-in'), token: z.string().min(1).max(200) }),
  z.object({
    type: z.literal('topics'),
    /** Replaces the whole set of topics. */
    topics: z.array(LiveTopic).max(50),
    /**
     * In the first frame of a connection, and in those that add topics: the last cursor received, null when there
     * was none. Answered by `resumed`, so that a change right before a topic is added is not missed.
     */
    since: LiveCursor.nullable().optional(),
  }),
  /**
   * Tails one stream from a sequence number; replaces an earlier tail of the same stream. `role` says whose; absent =
   * that of the attempt's first participant.
   */
  z.object({
    type: z.literal('tail'),
    attemptId: z.uuid(),
    role: Role.optional(),
    stream: LogStream,
    fromSeq: Sequence,
  }),
  z.object({ type: z.literal('untail'), attemptId: z.uuid(), role: Role.optional(), stream: LogStream }),
]);
export type FromBrowser = z.infer<typeof FromBrowser>;

export const ToBrowser = z.discriminatedUnion('type', [
  /** Which of its topics changed since the cursor that the browser came with, or since it connected; null = nobody knows any more. */
  z.object({ type: z.literal('resumed'), cursor: LiveCursor, changed: z.array(LiveTopic).nullable() }),
  /** The page should fetch again; carries no data. The last of several that belong together has the cursor. */
  z.object({ type: z.literal('changed'), topic: LiveTopic, cursor: LiveCursor.optional() }),
  /** Nothing else changed up to here. Also the sign of life of a quiet farm. */
  z.object({ type: z.literal('cursor'), cursor: LiveCursor }),
  /** `role` as in the request. */
  z.object({
    type: z.literal('log'),
    attemptId: z.uuid(),
    role: Role.optional(),
    stream: LogStream,
    lines: z.array(LogLine),
  }),
  z.object({ type: z.literal('error'), message: z.string() }),
]);
export type ToBrowser = z.infer<typeof ToBrowser>;
