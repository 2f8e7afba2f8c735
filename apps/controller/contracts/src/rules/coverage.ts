import type { BundleManifest } from '../schema/bundle.js';
import type { CoverageTotals } from '../schema/coverage.js';
import { countsLines } from '../schema/coverage.js';
import { carriesMutants } from '../schema/mutants.js';

/**
 * Why figures that a kernel measures about itself are not kept; null = they are. A kernel that counts its lines, or asks at
 * each of them which mutant is chosen, pays for that: its figures say nothing of the series.
 */
export function whyNotMeasured(manifest: Pick<BundleManifest, 'files'>): string | null {
  if (countsLines(manifest)) return 'this kernel counts which of its lines run, which makes it slower';
  return carriesMutants(manifest) ? 'this kernel carries mutants, which makes it slower' : null;
}

/** Lines that ran of those that have code, in whole percent, never rounded up to 100; null where no line has code. */
export function coveragePercent({ code, ran }: Pick<CoverageTotals, 'code' | 'ran'>): number | null {
  if (code === 0) return null;
  return ran === code ? 100 : Math.min(99, Math.round((100 * ran) / code));
}
