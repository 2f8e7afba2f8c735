import type { CrashSummary } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { VerdictMark } from '../ui/verdict.js';

/** Whether it ended the kernel, and whether its title can be relied on. */
export function CrashMark({ crash }: { crash: Pick<CrashSummary, 'severity' | 'corrupted'> }): ReactNode {
  return (
    <span className="row">
      <VerdictMark verdict={crash.severity === 'crash' ? 'crash' : 'tainted'} long />
      {crash.corrupted && (
        <span className="chip chip-warn" title="the report is cut off or mixed with other text: its title may be wrong">
          incomplete
        </span>
      )}
    </span>
  );
}
