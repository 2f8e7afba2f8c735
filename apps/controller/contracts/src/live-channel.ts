import { z } from 'zod';
import { Sequence } from './ids.js';
import { LogLine, LogStream } from './logs.js';

export const LIVE_PATH = '/api/v1/live';

/** `runs`, `machines`, `grid`, `builds`, or `run:<uuid>`. */
export const LiveTopic = z.string().regex(/^(runs|machines|grid|builds|run:[0-9a-f-]{36})$/);

export const FromBrowser = z.discriminatedUnion('type', [
  /** Replaces the whole set of topics. */
  z.object({ type: z.literal('topics'), topics: z.array(LiveTopic).max(50) }),
  /** Tails one stream from a sequence number; replaces an earlier tail of the same stream. */
  z.object({ type: z.literal('tail'), attemptId: z.uuid(), stream: LogStream, fromSeq: Sequence }),
  z.object({ type: z.literal('untail'), attemptId: z.uuid(), stream: LogStream }),
]);
export type FromBrowser = z.infer<typeof FromBrowser>;

export const ToBrowser = z.discriminatedUnion('type', [
  /** The page should fetch again; carries no data. */
  z.object({ type: z.literal('changed'), topic: LiveTopic }),
  z.object({ type: z.literal('log'), attemptId: z.uuid(), stream: LogStream, lines: z.array(LogLine) }),
  z.object({ type: z.literal('error'), message: z.string() }),
]);
export type ToBrowser = z.infer<typeof ToBrowser>;
