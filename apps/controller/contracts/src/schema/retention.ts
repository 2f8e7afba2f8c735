import { z } from 'zod';

const DAY_MAX = 36_500;
const GIB = 1024 ** 3;
const Days = z.number().positive().max(DAY_MAX);
const Bytes = z.number().int().positive();

/** How long the evidence of a kind of run is kept. Results and verdicts are small and stay longer than log lines. */
const KeepTime = z
  .strictObject({ logDays: Days, resultDays: Days })
  .refine(({ logDays, resultDays }) => resultDays >= logDays, 'resultDays must not be less than logDays');

/**
 * What is kept, for how long and in how much space. Space is the evidence itself, the bytes of log lines and
 * artifacts: what Postgres frees of its files it uses again and never gives back.
 */
export const RetentionPolicy = z
  .strictObject({
    /** Runs that people submitted. */
    user: KeepTime.prefault({ logDays: 180, resultDays: 1825 }),
    /** Runs that webhooks started, and the farm itself: its health checks. */
    webhook: KeepTime.prefault({ logDays: 60, resultDays: 730 }),
    /** Uploads and bundles after the last run that used them. */
    artifactDays: Days.default(60),
    /** Above it the oldest unpinned logs and artifacts go, whatever their age. */
    softBytes: Bytes.default(20 * GIB),
    /** Above it new runs are refused and nothing is dispatched. */
    hardBytes: Bytes.default(40 * GIB),
    /** The same happens when less than this is free on the disk of the state folder. */
    freeBytes: Bytes.default(GIB),
  })
  .refine(({ softBytes, hardBytes }) => hardBytes > softBytes, 'hardBytes must be more than softBytes');
export type RetentionPolicy = z.infer<typeof RetentionPolicy>;

/** `soft`: the oldest evidence is being removed. `full`: nothing new is begun. */
export const StorageLevel = z.enum(['ok', 'soft', 'full']);
export type StorageLevel = z.infer<typeof StorageLevel>;

export const StorageUse = z.object({
  /** Log lines with what Postgres needs for each, as counted when they were stored. */
  logBytes: z.number(),
  artifactBytes: z.number(),
  /** Everything else in the database: runs, results, measurements. */
  otherBytes: z.number(),
  /** The sum, to which the limits apply. */
  usedBytes: z.number(),
  /** Size of the database's files, with space that it will use again. */
  databaseBytes: z.number(),
  /** Free on the disk of the state folder. */
  freeBytes: z.number(),
});
export type StorageUse = z.infer<typeof StorageUse>;

/** `logs` of a run · the whole `run` with its results · the file of an `artifact`. */
export const RemovalKind = z.enum(['logs', 'run', 'artifact']);
export type RemovalKind = z.infer<typeof RemovalKind>;

export const Removal = z.object({
  kind: RemovalKind,
  /** Run id or digest. */
  subject: z.string(),
  /** What people call it. */
  name: z.string(),
  /** When the run ended, or the artifact was last used. */
  lastUsedAt: z.iso.datetime(),
  why: z.enum(['age', 'space']),
  lines: z.number(),
  bytes: z.number(),
});
export type Removal = z.infer<typeof Removal>;

/** What a pass would do now, or did. */
export const RetentionPlan = z.object({
  level: StorageLevel,
  use: StorageUse,
  removals: z.array(Removal),
  /** Used bytes afterwards. */
  usedBytesAfter: z.number(),
});
export type RetentionPlan = z.infer<typeof RetentionPlan>;

/** Removals that a view lists. */
export const RETENTION_DELETIONS_MAX = 100;

export const RetentionView = z.object({
  policy: RetentionPolicy,
  level: StorageLevel,
  use: StorageUse,
  measuredAt: z.iso.datetime(),
  pins: z.array(
    z.object({
      run: z.uuid(),
      name: z.string(),
      by: z.string(),
      reason: z.string().nullable(),
      pinnedAt: z.iso.datetime(),
    }),
  ),
  /** The newest RETENTION_DELETIONS_MAX. */
  deletions: z.array(
    z.object({
      removedAt: z.iso.datetime(),
      kind: RemovalKind,
      subject: z.string(),
      name: z.string(),
      why: z.string(),
      lines: z.number(),
      bytes: z.number(),
    }),
  ),
});
export type RetentionView = z.infer<typeof RetentionView>;
