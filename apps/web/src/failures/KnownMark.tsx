import { isKnownNow, type KnownFailure } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { dayText, exactText, useNow } from '../ui/time.js';

/** A chip that says that people know a failure, until when and why; nothing for a mark that has ended. */
export function KnownMark({ known }: { known: KnownFailure | null }): ReactNode {
  const now = useNow();
  if (known === null || !isKnownNow(known, now)) return null;
  const title = `marked as known by ${known.by}, ${exactText(Date.parse(known.at))}; it ends ${exactText(Date.parse(known.until))}`;
  return (
    <span className="chip known-mark" title={title}>
      known until {dayText(Date.parse(known.until))}: {known.reason}
    </span>
  );
}
