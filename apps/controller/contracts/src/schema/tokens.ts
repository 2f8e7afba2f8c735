import { z } from 'zod';
import { Name } from './ids.js';

/** What the admin page manages of tokens. */
const Time = z.iso.datetime();

export const TokenKind = z.enum(['user', 'agent']);
export type TokenKind = z.infer<typeof TokenKind>;

/** Kinds of work that an agent can be given. */
export const AgentWork = z.enum(['test', 'build']);
export type AgentWork = z.infer<typeof AgentWork>;

/** A token without its secret, of which the farm keeps a hash that never leaves it. */
export const TokenView = z.object({
  id: z.uuid(),
  kind: TokenKind,
  name: Name,
  /** The only site that the agent of this token may speak for; null: the one that it names first, and for user tokens. */
  site: Name.nullable().default(null),
  /** The only kind of work that the agent of this token is given; null: what it says it can do, and for user tokens. */
  only: AgentWork.nullable().default(null),
  createdAt: Time,
  revokedAt: Time.nullable(),
  /** To the minute; null when it was never used since this is recorded. */
  lastUsedAt: Time.nullable(),
  /** It is the one that asks. */
  current: z.boolean(),
});
export type TokenView = z.infer<typeof TokenView>;

export const NewToken = z
  .strictObject({ kind: TokenKind, name: Name, site: Name.optional(), only: AgentWork.optional() })
  .refine(
    ({ kind, site, only }) => kind === 'agent' || (site === undefined && only === undefined),
    'only an agent token has a site or a kind of work',
  );
export type NewToken = z.infer<typeof NewToken>;

/** The only answer that ever holds a secret. */
export const CreatedToken = z.object({ token: TokenView, secret: z.string() });
export type CreatedToken = z.infer<typeof CreatedToken>;
