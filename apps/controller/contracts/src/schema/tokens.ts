import { z } from 'zod';
import { Name } from './ids.js';
import { timeCursor } from './time-cursor.js';

/** What the admin page manages: tokens, and what webhooks delivered. */
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

/** `ignored` = nothing to do for it · `refused` = it could not be acted upon and may be sent again. */
export const DeliveryOutcome = z.enum(['started', 'ignored', 'refused']);
export type DeliveryOutcome = z.infer<typeof DeliveryOutcome>;

/** A signed webhook delivery. What came without a right signature is not recorded. */
export const DeliveryView = z.object({
  /** Name of the hook that it came to. */
  source: Name,
  deliveryId: z.string(),
  receivedAt: Time,
  outcome: DeliveryOutcome,
  detail: z.string(),
  /** Null when none was started, or when retention removed it since. */
  run: z.object({ id: z.uuid(), name: z.string() }).nullable(),
});
export type DeliveryView = z.infer<typeof DeliveryView>;

/** A page of deliveries; `next` is the `before` of the page after it, null on the last one. */
export const DeliveryPage = z.object({ deliveries: z.array(DeliveryView), next: z.string().nullable() });
export type DeliveryPage = z.infer<typeof DeliveryPage>;

/** Where a page of deliveries ends: `time~hook~delivery`. */
export const DeliveryCursor = timeCursor(z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}~[\x21-\x7e]{1,128}$/));
export type DeliveryCursor = z.infer<typeof DeliveryCursor>;

export const DeliveriesQuery = z.object({
  /** The `next` of the page before. */
  before: DeliveryCursor.optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});
