import type { KnownFailure } from '../schema/failure-memory.js';

/** Whether a mark stands: it was not withdrawn and its end is ahead. @param nowMs milliseconds since 1970 */
export function isKnownNow(known: KnownFailure | null, nowMs: number): boolean {
  return known !== null && known.ended === null && Date.parse(known.until) > nowMs;
}
