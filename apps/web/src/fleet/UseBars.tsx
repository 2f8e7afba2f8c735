import { leasedShare, USE_DAYS, type MachineUse } from '@peerlab/contracts';
import type { ReactNode } from 'react';

const percent = (share: number): string => `${Math.round(share * 100)} %`;

/** Seven bars, a day each, oldest first; what they say is text for those who do not see them. */
export function UseBars({ use }: { use: MachineUse }): ReactNode {
  const label = `leased share of the last ${USE_DAYS} days, oldest first: ${use.days.map(percent).join(', ')}`;
  return (
    <span className="use-bars" role="img" aria-label={label} title={label}>
      {use.days.map((share, day) => (
        <i key={day} style={{ height: `${Math.round(share * 100)}%` }} />
      ))}
    </span>
  );
}

/** Queue and leased share in words. */
export function useText(use: MachineUse): string {
  const waiting = use.queued === 1 ? '1 job waits' : `${use.queued} jobs wait`;
  return `leased ${percent(leasedShare(use))} of the last ${USE_DAYS} days; ${use.queued === 0 ? 'no job waits' : waiting}`;
}
