import { z } from 'zod';

/** Names that people type and that stand in URLs: machine, agent, site, suite, build. */
export const Name = z
  .string()
  .min(1)
  .max(64)
  .regex(
    /^[a-zA-Z0-9][a-zA-Z0-9._-]*$/,
    'use letters, digits, dot, dash and underscore, starting with a letter or digit',
  );

export const SUITE_NAME_MAX = 128;
/** A suite: a name, for a variant with the values of its matrix: `name[PARAM=VALUE,…]`. */
export const SuiteName = z
  .string()
  .min(1)
  .max(SUITE_NAME_MAX)
  .regex(
    /^[a-zA-Z0-9][a-zA-Z0-9._-]*(\[[a-zA-Z0-9_.:+=,-]+\])?$/,
    'use letters, digits, dot, dash and underscore, starting with a letter or digit',
  );

/** Lower-case hex SHA-256: names every artifact and content key. */
export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hex digits');

/** The last millisecond of the year 9999: later ones are no dates for some readers, or have another form in JSON. */
const EPOCH_MS_MAX = 253_402_300_799_999;

/** Wall-clock time of the process that wrote it, milliseconds since 1970. Never used to decide a lease. */
export const EpochMs = z.number().int().nonnegative().max(EPOCH_MS_MAX);

/** Position in an ordered, gapless sequence that starts at 0. */
export const Sequence = z.number().int().nonnegative();

/** Fencing number of a lease: grows with every lease of any machine; a smaller one is stale. */
export const Fence = z.number().int().positive();

export const Labels = z.record(z.string().min(1).max(64), z.string().max(128));
export type Labels = z.infer<typeof Labels>;
