import type { Combination } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { PathChip } from '../ui/verdict.js';

/**
 * A combination in a row of a list, with the machine where machines are told apart: its path kind, and of several roles what
 * the further ones boot; the rest is in the tooltip and for screen readers.
 */
export function CombinationName({
  combination,
  machine,
}: {
  combination: Combination | undefined;
  machine?: string | undefined;
}): ReactNode {
  if (combination === undefined) return null;
  const { pathKind, peers = [] } = combination.identity;
  return (
    <span title={combination.label}>
      <PathChip kind={pathKind} />
      <span className="unseen">{combination.label}</span>{' '}
      {peers.length > 0 && (
        <span className="muted">with {peers.map(({ role, build }) => `${role} ${build}`).join(', ')} </span>
      )}
      {machine}
    </span>
  );
}
