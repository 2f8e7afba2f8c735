import { attestPath, expectedPath, type EvidenceItem, type PathKind, type Proof } from '@peerlab/contracts';
import type { ReactNode } from 'react';

const SAYS: Record<EvidenceItem['says'], { icon: string; label: string; tone: string }> = {
  shows: { icon: '✓', label: 'shows it', tone: 'good' },
  contradicts: { icon: '✗', label: 'contradicts it', tone: 'bad' },
  missing: { icon: '?', label: 'missing', tone: 'quiet' },
  beside: { icon: '·', label: 'says nothing about the way', tone: 'quiet' },
};

/**
 * What a proof has to say for the claim that the data went from device to device, and what it lacks, by the rule that
 * gave the verdict. Nothing where no peer path was asked for or none exists.
 * @param kind of the combination; a proof may have been judged by another one
 * @param only which lines; all unless given
 */
export function EvidenceList({
  proof,
  kind,
  only,
}: {
  proof: Proof;
  kind: PathKind | null;
  only?: readonly EvidenceItem['says'][];
}): ReactNode {
  if (proof.expected !== 'peer' || kind === null) return null;
  const expected = expectedPath(proof, kind);
  if (expected === 'NOT_SUPPORTED') return null;
  const items = attestPath(proof, expected).items.filter(({ says }) => only?.includes(says) ?? true);
  if (items.length === 0) return null;
  return (
    <ul className="evidence" aria-label="Evidence of the path">
      {items.map(({ name, says, text }) => (
        <li key={name}>
          <span className={`badge tone-${SAYS[says].tone}`} title={SAYS[says].label}>
            <span aria-hidden="true">{SAYS[says].icon}</span>
            <span className="unseen">{SAYS[says].label}:</span>
          </span>{' '}
          {name} <span className="muted">{text}</span>
        </li>
      ))}
    </ul>
  );
}
