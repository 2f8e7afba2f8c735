import { durationText } from '../ui/time.js';

/**
 * What stands below the time of a running stage: how long it usually takes. Both in milliseconds. One that is late
 * does not pretend to end soon.
 */
export function usualText(elapsedMs: number, usualMs: number): string {
  const usual = durationText(usualMs);
  return elapsedMs <= usualMs ? `of about ${usual}` : `usually ${usual}`;
}
