import type { Combination } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { PathChip } from '../ui/verdict.js';

/** A combination in a row of a table: its kind of path, the rest on hover and for screen readers. */
export function CombinationCell({ combination }: { combination: Combination | undefined }): ReactNode {
  return (
    <td data-label="Combination">
      {combination !== undefined && (
        <span title={combination.label}>
          <PathChip kind={combination.identity.pathKind} />
          <span className="unseen">{combination.label}</span>
        </span>
      )}
    </td>
  );
}
