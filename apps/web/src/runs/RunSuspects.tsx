import { Link } from '@tanstack/react-router';
import type { RunDetail } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { countOf } from '../ui/numbers.js';
import { SuspectNotice } from './SuspectNotice.js';

/** Which attempts of a run are suspect, by machine, and for what. */
export function RunSuspects({ run }: { run: RunDetail }): ReactNode {
  if (run.suspects.length === 0) return null;
  const byMachine = new Map<string, RunDetail['suspects']>();
  for (const suspect of run.suspects) {
    byMachine.set(suspect.machine, [...(byMachine.get(suspect.machine) ?? []), suspect]);
  }
  return (
    <section aria-labelledby="suspects-head">
      <h2 id="suspects-head">Suspect results</h2>
      {[...byMachine].map(([machine, suspects]) => (
        <div key={machine}>
          <SuspectNotice suspects={suspects.slice(0, 1)} />
          <p>
            {countOf(suspects.length, 'attempt')}:{' '}
            {suspects.map(({ attemptId }, index) => (
              <span key={attemptId}>
                {index > 0 && ', '}
                <Link to="/attempts/$attempt" params={{ attempt: attemptId }}>
                  <code>{attemptId.slice(0, 8)}</code>
                </Link>
              </span>
            ))}
          </p>
        </div>
      ))}
    </section>
  );
}
