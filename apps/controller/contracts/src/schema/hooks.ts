import { z } from 'zod';
import { Name } from './ids.js';
import { Commit } from './kernel-source.js';
import { MBOX_MAX } from './run-spec.js';
import { Time } from './time.js';
import { timeCursor } from './time-cursor.js';

/** Who sends deliveries: a forge, or any program that signs them itself. `gitea` is Forgejo, too. */
export const HookKind = z.enum(['generic', 'github', 'gitlab', 'gitea']);
export type HookKind = z.infer<typeof HookKind>;

/** Body of a delivery to a generic hook; the signature is checked before it is parsed. */
export const GenericHook = z.strictObject({
  template: Name,
  /** Shown as the run's trigger, such as the branch. */
  ref: z.string().max(200).optional(),
  /** The commit that the template's git build builds; the delivery is refused when there is none. */
  commit: Commit.optional(),
  /** Which of the template's builds takes the commit, where several have a git source. */
  build: Name.optional(),
  /** A series for the template's build named `series`, in mbox form. */
  mbox: z.string().min(1).max(MBOX_MAX).optional(),
});
export type GenericHook = z.infer<typeof GenericHook>;

/**
 * What became of a delivery. `held` = the commit is of a fork and waits for a person · `ignored` = nothing to do for it ·
 * `refused` = it could not be acted upon and may be sent again.
 */
export const DeliveryOutcome = z.enum(['started', 'held', 'ignored', 'refused']);
export type DeliveryOutcome = z.infer<typeof DeliveryOutcome>;

export const HookAnswer = z.object({
  status: z.enum(['started', 'held', 'ignored', 'duplicate']),
  runId: z.uuid().nullable(),
  detail: z.string(),
});
export type HookAnswer = z.infer<typeof HookAnswer>;

/** Header names of a generic hook. */
export const HOOK_HEADERS = {
  signature: 'x-peerlab-signature-256',
  timestamp: 'x-peerlab-timestamp',
  delivery: 'x-peerlab-delivery',
} as const;
/** Deliveries older or newer than this are refused as replays, in seconds. */
export const HOOK_TOLERANCE_SECONDS = 300;
/**
 * What the sender of a generic hook signs: `sha256=` + hex HMAC-SHA256 with the hook's secret over this text
 * and the bytes of the body right behind it. Everything that decides what happens is in it: the hook's name,
 * the time, the delivery's id, and, in the body, the template.
 * @param timestamp seconds since 1970, as in the timestamp header
 */
export const hookSigningPrefix = (hook: string, timestamp: string, delivery: string): string =>
  `peerlab-hook-v2\n${hook}\n${timestamp}\n${delivery}\n`;

/** An authenticated webhook delivery. What came without the right secret is not recorded. */
export const DeliveryView = z.object({
  /** Name of the hook that it came to. */
  source: Name,
  deliveryId: z.string(),
  receivedAt: Time,
  outcome: DeliveryOutcome,
  detail: z.string(),
  /** Null when none was started, or when retention removed it since. */
  run: z.object({ id: z.uuid(), name: z.string() }).nullable(),
  /** The commit that it is about, where it is about one. */
  commit: z.string().nullable(),
  /** The fork that the commit is of; null = the repository itself, or not known. */
  fork: z.string().nullable(),
  /** What it asked for is stored, so that it can be acted upon again. */
  isRepeatable: z.boolean(),
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

/** Names one delivery. */
export const DeliveryKey = z.strictObject({ source: Name, deliveryId: z.string().min(1).max(128) });
export type DeliveryKey = z.infer<typeof DeliveryKey>;

/** Which changes of which repository run which template. */
export const HookRuleView = z.object({
  repository: z.string(),
  branches: z.array(z.string()).nullable(),
  paths: z.array(z.string()).nullable(),
  labels: z.array(z.string()).nullable(),
  template: Name,
  build: Name.nullable(),
});
export type HookRuleView = z.infer<typeof HookRuleView>;

/** A hook of the hooks file, without its secrets. */
export const HookView = z.object({
  name: Name,
  kind: HookKind,
  /** Of a generic hook; those of a forge are in its rules. */
  templates: z.array(Name),
  rules: z.array(HookRuleView),
  /** Whose commands in comments count, and whose own forks run at once. */
  people: z.array(z.string()),
  /** Where reports go and in which form; null = nothing is reported. */
  report: z.object({ api: z.string(), as: z.enum(['check runs', 'commit statuses']) }).nullable(),
});
export type HookView = z.infer<typeof HookView>;

/** How a report to a forge stands. */
export const ReportState = z.enum(['sent', 'waiting', 'failing', 'given up', 'not configured']);
export type ReportState = z.infer<typeof ReportState>;

/** What a forge is told of one commit under one name. */
export const ReportView = z.object({
  id: z.uuid(),
  source: Name,
  repository: z.string(),
  commit: z.string(),
  /** Of the pull or merge request, where there is one. */
  number: z.number().int().nullable(),
  /** Under which name the forge shows it. */
  context: z.string(),
  state: ReportState,
  /** Tries since it last arrived. */
  tries: z.number().int().nonnegative(),
  error: z.string().nullable(),
  sentAt: Time.nullable(),
  /** When it is tried again, where it waits after an error. */
  nextAt: Time.nullable(),
  run: z.object({ id: z.uuid(), name: z.string() }).nullable(),
});
export type ReportView = z.infer<typeof ReportView>;
