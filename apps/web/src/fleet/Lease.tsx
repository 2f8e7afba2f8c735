import { Link } from '@tanstack/react-router';
import type { MachineView } from '@peerlab/contracts';
import type { ReactNode } from 'react';

/** The attempt that holds the lease of the machine. */
export function Lease({ lease }: { lease: MachineView['lease'] }): ReactNode {
  if (lease === null) return <span className="muted">free</span>;
  return (
    <span title={`fence ${lease.fence}`}>
      <Link to="/attempts/$attempt" params={{ attempt: lease.attemptId }}>
        attempt
      </Link>{' '}
      of a{' '}
      <Link to="/runs/$run" params={{ run: lease.runId }}>
        run
      </Link>
    </span>
  );
}

/** Labels of a machine; each leads to the machines that have it too. */
export function LabelChips({ labels }: { labels: MachineView['labels'] }): ReactNode {
  return (
    <span className="row tight">
      {Object.entries(labels).map(([key, value]) => (
        <Link
          key={key}
          to="/machines"
          search={{ label: `${key}=${value}` }}
          className="chip"
          title="machines with this label"
        >
          {key}={value}
        </Link>
      ))}
    </span>
  );
}
