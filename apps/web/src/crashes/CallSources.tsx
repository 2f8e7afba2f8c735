import { gitText, gitTitle, sourceLines, type BuiltGit, type CallPlace } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { countOf } from '../ui/numbers.js';

/** Where addresses of a report are in the source; nothing where that is not known. */
export function CallSources({
  sources,
  git = null,
  patches = 0,
}: {
  sources: readonly CallPlace[];
  /** The tree that was built; null where it is not of a git repository. */
  git?: BuiltGit | null;
  /** Patches on top of it. */
  patches?: number;
}): ReactNode {
  if (sources.length === 0) return null;
  return (
    <details>
      <summary>
        In the source
        {git !== null && <code title={gitTitle(git)}> {gitText(git)}</code>}
        {patches > 0 && ` with ${countOf(patches, 'patch', 'patches')}`}
      </summary>
      <code className="crash-frames">{sourceLines(sources).join('\n')}</code>
    </details>
  );
}
