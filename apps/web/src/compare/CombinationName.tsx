import type { Combination } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { PathChip } from '../ui/verdict.js';

/** A combination in a row of a list, with the machine where machines are told apart: its path kind; the rest is in the tooltip and for screen readers. */
export function CombinationName({
  combination,
  machine,
}: {
  combination: Combination | undefined;
  machine?: string | undefined;
}): ReactNode {
  if (combination === undefined) return null;
  return (
    <span title={combination.label}>
      <PathChip kind={combination.identity.pathKind} />
      <span className="unseen">{combination.label}</span> {machine}
    </span>
  );
}
