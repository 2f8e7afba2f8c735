import type { ComparedMetric } from '@peerlab/contracts';
import { numberText } from '../ui/numbers.js';

/** A ratio with the digits that matter: `0.875×`, `1.04×`, `54×`. */
export function ratioText(ratio: number): string {
  if (ratio >= 10 || ratio < 0.1) return `${numberText(ratio)}×`;
  return `${ratio.toFixed(ratio < 1 ? 3 : 2)}×`;
}

/** Smallest length of the axis on each side of 1, so that noise does not look like a large change. */
const LEAST_REACH = Math.log(1.1);

/** Length of an axis on each side of 1, as a logarithm, that shows all of these ratios. */
export function ratioReach(all: readonly Pick<ComparedMetric, 'ratio'>[]): number {
  let reach = LEAST_REACH;
  for (const { ratio } of all) {
    if (ratio === null) continue;
    for (const end of [ratio.low, ratio.value, ratio.high]) {
      if (end !== null) reach = Math.max(reach, Math.abs(Math.log(end)));
    }
  }
  return reach;
}

/**
 * Where the ends and the value of a ratio stand from 0 to 1 on a logarithmic axis that is symmetric
 * about 1 (0.5) and has this reach. Without an interval its ends are the value; null without a ratio.
 */
export function ratioPlaces(
  ratio: ComparedMetric['ratio'],
  reach: number,
): { low: number; value: number; high: number } | null {
  if (ratio === null) return null;
  const place = (value: number): number => 0.5 + Math.log(value) / reach / 2;
  return { low: place(ratio.low ?? ratio.value), value: place(ratio.value), high: place(ratio.high ?? ratio.value) };
}
