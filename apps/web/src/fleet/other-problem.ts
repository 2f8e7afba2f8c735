import type { MachineSummary } from '@peerlab/contracts';

/** What is wrong with a machine beside that somebody took it out of service, which stands on the page anyway. */
export function otherProblem({
  desired,
  desiredBy,
  problem,
}: Pick<MachineSummary, 'desired' | 'desiredBy' | 'problem'>): string | null {
  const reason = desired === 'active' ? null : (desiredBy?.reason ?? null);
  return reason !== null && problem?.startsWith(reason) === true ? null : problem;
}
