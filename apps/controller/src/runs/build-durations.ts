import type { BuildEstimate } from '@peerlab/contracts';
import { medianMs } from './queue-forecast.js';

/** An attempt that made a kernel, or found it stored. */
export interface BuildSample {
  /** As sizeOf of build-inputs.ts. */
  size: string;
  cached: boolean;
  ms: number;
}

/** What a look-up of a stored bundle takes before any was seen: the series is taken apart, and one request is sent. */
const LOOKED_UP_MS = 10_000;

/**
 * What a build will take, by those before it. Builds that compiled and builds that found their kernel stored are two
 * things: a median of both is the time of neither.
 */
export function estimateBuild(
  { size, isStored }: { size: string; isStored: boolean },
  samples: readonly BuildSample[],
): BuildEstimate {
  const of = (found: readonly BuildSample[], basis: BuildEstimate['basis']): BuildEstimate => ({
    basis,
    ms: medianMs(found.map(({ ms }) => ms)),
    samples: found.length,
  });
  if (isStored) {
    const looked = samples.filter(({ cached }) => cached);
    return looked.length === 0 ? { basis: 'stored', ms: LOOKED_UP_MS, samples: 0 } : of(looked, 'stored');
  }
  const made = samples.filter(({ cached }) => !cached);
  const alike = made.filter((sample) => sample.size === size);
  if (alike.length > 0) return of(alike, 'size');
  return made.length > 0 ? of(made, 'other') : { basis: 'none', ms: null, samples: 0 };
}
