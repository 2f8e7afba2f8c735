import { reservedInWords, type MachineSummary } from '@peerlab/contracts';

/** What is wrong with a machine beside that somebody took it out of service or reserved it, which stands on the page anyway. */
export function otherProblem({
  desired,
  desiredBy,
  problem,
  reservation,
}: Pick<MachineSummary, 'desired' | 'desiredBy' | 'problem' | 'reservation'>): string | null {
  if (reservation !== undefined && problem === `it is ${reservedInWords(reservation)}`) return null;
  const reason = desired === 'active' ? null : (desiredBy?.reason ?? null);
  return reason !== null && problem?.startsWith(reason) === true ? null : problem;
}
