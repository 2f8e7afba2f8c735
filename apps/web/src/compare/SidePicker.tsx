import { Link } from '@tanstack/react-router';
import { runSideText, type ComparedSide, type RunSummary } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { KernelName } from '../runs/KernelName.js';
import { Ago, shortText } from '../ui/time.js';
import { SideFrame } from './SideFrame.js';

/** Chooses the run and the build of one side, and shows which kernel that is. */
export function SidePicker({
  name,
  side,
  chosen,
  runs,
  hasMore,
  onChange,
}: {
  name: 'A' | 'B';
  side: ComparedSide | null;
  /** Run from the address, shown until the answer arrives. */
  chosen: string | null;
  runs: readonly RunSummary[];
  /** There are older runs than `runs`. */
  hasMore: boolean;
  onChange: (side: string) => void;
}): ReactNode {
  const run = side?.run.id ?? chosen;
  const isListed = runs.some(({ id }) => id === run);
  return (
    <SideFrame name={name}>
      <label>
        <span>Run</span>
        <select value={run ?? ''} onChange={(event) => event.target.value !== '' && onChange(event.target.value)}>
          {run === null && <option value="">choose a run</option>}
          {run !== null && !isListed && <option value={run}>{side?.run.name ?? `run ${run.slice(0, 8)}`}</option>}
          {runs.map(({ id, name: title, createdAt }) => (
            <option key={id} value={id}>
              {title} · {shortText(Date.parse(createdAt))}
            </option>
          ))}
          {hasMore && <option disabled>older runs: select them in the list of runs</option>}
        </select>
      </label>
      <label>
        <span>Build</span>
        <select
          value={side?.kernel.name ?? ''}
          disabled={side === null}
          onChange={(event) => side !== null && onChange(runSideText(side.run.id, event.target.value))}
        >
          {side === null && <option value="">–</option>}
          {side?.builds.map((build) => (
            <option key={build} value={build}>
              {build}
            </option>
          ))}
        </select>
      </label>
      <p className="side-kernel">
        {side === null ? (
          <span className="muted">nothing chosen</span>
        ) : (
          <>
            <KernelName kernel={side.kernel} total={side.kernelsTotal} />{' '}
            <span className="muted">
              · <Link to="/runs/$run" params={{ run: side.run.id }}>{`run ${side.run.id.slice(0, 8)}`}</Link>,{' '}
              <Ago at={side.run.createdAt} />
            </span>
          </>
        )}
      </p>
    </SideFrame>
  );
}
