import { z } from 'zod';

/** When a job could start, as far as the queue and the durations of earlier attempts tell. */
export const ExpectedStart = z.object({
  /** `now`: its machine is free · `queue`: others go first · `build`: its kernel has to be built first · `blocked`: something is in the way that only people can change. */
  when: z.enum(['now', 'queue', 'build', 'blocked']),
  /** Milliseconds from now; null when nothing comparable has run yet, or while it is blocked. */
  inMs: z.number().nonnegative().nullable(),
  /** The same as `waiting` of a job, without the time: why, in words with numbers. */
  text: z.string(),
  /** When the agent that is silent was last seen; null where that is not what is in the way. */
  lastSeenAt: z.iso.datetime().nullable().default(null),
});
export type ExpectedStart = z.infer<typeof ExpectedStart>;

/** How long a kernel will take that a run needs, by what builds before it took. */
export const BuildEstimate = z.object({
  /** `stored`: a kernel of the same series, configuration and recipe is stored · `size`: from builds of this size · `other`: from builds of other sizes · `none`: no build has ended yet. */
  basis: z.enum(['stored', 'size', 'other', 'none']),
  /** Milliseconds; null = unknown. */
  ms: z.number().nonnegative().nullable(),
  /** Builds that it is the median of. */
  samples: z.number().int().nonnegative(),
});
export type BuildEstimate = z.infer<typeof BuildEstimate>;

/** `built already`, or `must be built, about 22 min, from 3 builds of this size`. */
export function buildEstimateText({ basis, ms, samples }: BuildEstimate): string {
  if (basis === 'stored') return 'built already';
  if (basis === 'none') return 'must be built; no build has ended yet to tell how long that takes';
  const from = samples === 1 ? '1 build' : `${samples} builds`;
  return `must be built, ${aboutText(ms)}, from ${from} of ${basis === 'size' ? 'this size' : 'other sizes'}`;
}

/** The whole of it as one text, for where no time can be drawn that goes on. */
export function startText({ text, lastSeenAt }: Pick<ExpectedStart, 'text' | 'lastSeenAt'>): string {
  return lastSeenAt === null ? text : `${text}, last seen ${utcText(lastSeenAt)}`;
}

/** An ISO 8601 time to the minute, for people: `2026-11-22 21:04 UTC`. */
export function utcText(time: string): string {
  return `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** `about 6 min`; empty if unknown. */
export function aboutText(ms: number | null): string {
  if (ms === null || !Number.isFinite(ms)) return '';
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1) return 'less than a minute';
  if (minutes < 100) return `about ${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `about ${hours} h` : `about ${Math.round(hours / 24)} days`;
}
