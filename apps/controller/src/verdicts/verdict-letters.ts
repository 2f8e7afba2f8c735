import { bySeverity, VERDICT_TABLE, verdictOfRepeats, VERDICTS, type Verdict } from '@peerlab/contracts';

/** Verdicts from the worst to the best; a rank is a place in this list. */
export const RANKED_VERDICTS: readonly Verdict[] = VERDICTS.toSorted(bySeverity);

/** Rank of what is no letter of VERDICT_TABLE: behind all others. */
export const NO_RANK = RANKED_VERDICTS.length;

/** Code of the letter of each rank. */
export const CODE_BY_RANK = Uint8Array.from(RANKED_VERDICTS, (verdict) => VERDICT_TABLE[verdict].letter.charCodeAt(0));

const RANK_BY_CODE = Uint8Array.from({ length: 128 }, () => NO_RANK);
for (const [rank, code] of CODE_BY_RANK.entries()) RANK_BY_CODE[code] = rank;

/** Rank of the verdict whose letter has this code. Packed verdicts are read by the million: no text, no map. */
export const rankOf = (code: number): number => RANK_BY_CODE[code] ?? NO_RANK;

/** The verdict of a rank; undefined for NO_RANK. */
export const verdictOfRank = (rank: number): Verdict | undefined => RANKED_VERDICTS[rank];

/** By the set of ranks that repeats of a test have, one bit each: verdictOfRepeats, NO_RANK where that is null. */
const RANK_OF_REPEATS = Uint8Array.from({ length: 2 ** NO_RANK }, (_, set) => {
  const verdict = verdictOfRepeats(RANKED_VERDICTS.filter((_, rank) => (set & (1 << rank)) !== 0));
  return verdict === null ? NO_RANK : RANKED_VERDICTS.indexOf(verdict);
});

/** Rank of the verdict of contradicting repeats; NO_RANK when they agree. @param set bit `1 << rank` for each verdict */
export const rankOfRepeats = (set: number): number => RANK_OF_REPEATS[set & (RANK_OF_REPEATS.length - 1)] ?? NO_RANK;
