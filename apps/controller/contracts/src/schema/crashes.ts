import { z } from 'zod';
import { CallPlace } from './call-places.js';
import { CRASH_TYPES } from './crash-types.js';
import { Combination } from './combination.js';
import { FailureSighting } from './failure-memory.js';
import { Name, SuiteName } from './ids.js';
import { BuiltGit } from './kernel-source.js';
import { LogStream } from './logs.js';
import { Role } from './participants.js';

/** Stands for a crash title in addresses: its MD5 in hex. */
export const CrashKey = z.string().regex(/^[0-9a-f]{32}$/, 'expected 32 hex digits: the key of a crash');
export type CrashKey = z.infer<typeof CrashKey>;

/** What all sightings of a crash have in common. */
const CrashIdentity = z.object({
  key: CrashKey,
  /** In the canonical form of syzkaller's dashboards, without addresses and numbers. */
  title: z.string(),
  type: z.enum(CRASH_TYPES),
  /** `crash` ended a kernel at least once; `warning` did not. */
  severity: z.enum(['crash', 'warning']),
  /** All that is known of it was cut off or mixed with other text: the title may be wrong. */
  corrupted: z.boolean(),
});

/** A crash in the log of one participant of an attempt. */
export const AttemptCrash = CrashIdentity.extend({
  role: Role,
  stream: LogStream,
  /** First and last line of its first report, by their sequence in the stream, from 0. */
  startLine: z.number().int().nonnegative(),
  endLine: z.number().int().nonnegative(),
  /** Reports with this title in the log. */
  times: z.number().int().positive(),
  /** Functions of its first report that is whole, top first, without addresses. */
  frames: z.array(z.string()),
  /** Where its addresses are in the source, in the order of the report; empty where that is not known. */
  sources: z.array(CallPlace),
  /** Letters of the kernel's taint; empty = not tainted, null = the report does not say. */
  taint: z.string().nullable(),
  /** The test that ran; null where none did, or where it is not known. */
  suite: SuiteName.nullable(),
  test: z.string().nullable(),
});
export type AttemptCrash = z.infer<typeof AttemptCrash>;

/** The same with how many earlier attempts had it, and the tree that its kernel was built from. */
export const SeenCrash = AttemptCrash.extend({
  earlier: z.number().int().nonnegative(),
  buildId: z.uuid(),
  /** Null where it is not of a git repository. */
  git: BuiltGit.nullable(),
  /** Patches on top of it. */
  patches: z.number().int().nonnegative(),
});
export type SeenCrash = z.infer<typeof SeenCrash>;

export const AttemptCrashes = z.object({
  /** The worst first, then in the order of their first lines. */
  crashes: z.array(SeenCrash),
  /** Its log is still to be searched, or was not yet searched to its end. */
  pending: z.boolean(),
});
export type AttemptCrashes = z.infer<typeof AttemptCrashes>;

/** One occurrence of a crash. */
export const CrashSighting = FailureSighting.extend({
  buildId: z.uuid(),
  ...AttemptCrash.pick({
    role: true,
    stream: true,
    startLine: true,
    endLine: true,
    times: true,
    corrupted: true,
    suite: true,
    test: true,
  }).shape,
});
export type CrashSighting = z.infer<typeof CrashSighting>;

/** A crash over all runs. Only what retention has not removed is counted. */
export const CrashSummary = CrashIdentity.extend({
  /** Attempts that have it in their logs. */
  count: z.number().int().positive(),
  /** Combinations of hardware, and kernels by build-id. */
  combinations: z.number().int().nonnegative(),
  kernels: z.number().int().nonnegative(),
  first: FailureSighting,
  last: FailureSighting,
});
export type CrashSummary = z.infer<typeof CrashSummary>;

/** Crashes in one answer. */
export const CRASHES_MAX = 500;
/** Sightings, combinations and tests that the page of a crash lists; the counts beside them are of all. */
export const CRASH_PLACES_MAX = 50;

export const CrashQuery = z.object({
  /** Part of a title, in any case. */
  q: z.string().max(200).optional(),
  limit: z.coerce.number().int().min(1).max(CRASHES_MAX).default(100),
});
export type CrashQuery = z.infer<typeof CrashQuery>;

export const CrashList = z.object({
  /** Those that were seen last first. */
  crashes: z.array(CrashSummary).max(CRASHES_MAX),
  /** All that match. */
  total: z.number().int().nonnegative(),
});
export type CrashList = z.infer<typeof CrashList>;

/** Where a crash was seen on one combination of hardware. */
export const CrashPlace = z.object({
  combination: Combination.pick({ hash: true, label: true }).nullable(),
  count: z.number().int().positive(),
  first: FailureSighting,
  last: FailureSighting,
  /**
   * The newest attempt before the first one with it that ran to its end without it; where the test is known, one in which
   * that test ran. Null when there is none.
   */
  lastGood: FailureSighting.nullable(),
});
export type CrashPlace = z.infer<typeof CrashPlace>;

export const CrashDetail = CrashSummary.extend({
  frames: z.array(z.string()),
  /** Where its addresses are in the source of the kernel that reported it last; empty where that is not known. */
  sources: z.array(CallPlace),
  /** The build of that kernel. */
  sourcesBuild: z.uuid().nullable(),
  taint: z.string().nullable(),
  /** Most frequent first. */
  places: z.array(CrashPlace).max(CRASH_PLACES_MAX),
  tests: z.array(z.object({ suite: SuiteName, test: z.string(), count: z.number().int() })).max(CRASH_PLACES_MAX),
  /** By build-id, the newest first. */
  builds: z
    .array(z.object({ id: z.uuid(), name: Name, release: z.string().nullable(), count: z.number().int() }))
    .max(CRASH_PLACES_MAX),
  /** The newest first. */
  sightings: z.array(CrashSighting).max(CRASH_PLACES_MAX),
});
export type CrashDetail = z.infer<typeof CrashDetail>;

/** A report for a mailing list, as text. */
export const CrashMail = z.object({ subject: z.string(), body: z.string() });
export type CrashMail = z.infer<typeof CrashMail>;
