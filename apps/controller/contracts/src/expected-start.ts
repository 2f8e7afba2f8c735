import { z } from 'zod';

/** When a job could start, as far as the queue and the durations of earlier attempts tell. */
export const ExpectedStart = z.object({
  /** `now`: its machine is free · `queue`: others go first · `build`: its kernel has to be built first · `blocked`: something is in the way that only people can change. */
  when: z.enum(['now', 'queue', 'build', 'blocked']),
  /** Milliseconds from now; null when nothing comparable has run yet, or while it is blocked. */
  inMs: z.number().nonnegative().nullable(),
  /** The same as `waiting` of a job: why, in words with numbers. */
  text: z.string(),
});
export type ExpectedStart = z.infer<typeof ExpectedStart>;

/** `about 6 min`; an empty text when nobody knows. */
export function aboutText(ms: number | null): string {
  if (ms === null || !Number.isFinite(ms)) return '';
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1) return 'less than a minute';
  if (minutes < 100) return `about ${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `about ${hours} h` : `about ${Math.round(hours / 24)} days`;
}
