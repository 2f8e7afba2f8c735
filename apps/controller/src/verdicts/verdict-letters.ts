import { bySeverity, VERDICT_TABLE, VERDICTS, type Verdict } from '@peerlab/contracts';

/** Verdicts from the worst to the best; a rank is a place in this list. */
export const RANKED_VERDICTS: readonly Verdict[] = VERDICTS.toSorted(bySeverity);

/** Rank of whatever is no letter of VERDICT_TABLE: behind all others. */
export const NO_RANK = RANKED_VERDICTS.length;

const RANK_BY_CODE = Uint8Array.from({ length: 128 }, () => NO_RANK);
for (const [rank, verdict] of RANKED_VERDICTS.entries()) {
  RANK_BY_CODE[VERDICT_TABLE[verdict].letter.charCodeAt(0)] = rank;
}

/** Rank of the verdict whose letter has this code. Packed verdicts are read by the million: no text, no map. */
export const rankOf = (code: number): number => RANK_BY_CODE[code] ?? NO_RANK;
