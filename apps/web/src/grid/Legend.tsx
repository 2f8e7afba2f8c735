import { VERDICT_TABLE, VERDICTS } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { Popover } from '../ui/Popover.js';
import { VerdictMark } from '../ui/verdict.js';

/** The meaning of the marks in the grid, from the verdict table. */
export function Legend(): ReactNode {
  return (
    <Popover className="legend" button="Legend">
      <ul>
        {VERDICTS.map((verdict) => (
          <li key={verdict}>
            <VerdictMark verdict={verdict} /> <strong>{VERDICT_TABLE[verdict].label}</strong>{' '}
            <span className="muted">{VERDICT_TABLE[verdict].help}</span>
          </li>
        ))}
        <li>
          <span className="verdict verdict-none" /> <strong>blank</strong> <span className="muted">never run</span>
        </li>
        <li>
          <span className="verdict legend-corner">
            <span className="cell-differs" />
          </span>{' '}
          <strong>folded corner</strong>{' '}
          <span className="muted">by kernel build: the combinations disagree, the worst is shown</span>
        </li>
        <li>
          <span className="verdict cell-pending" /> <strong>striped</strong>{' '}
          <span className="muted">planned and not reached yet; its job is queued or running</span>
        </li>
        <li>
          <span className="change tone-good">▲</span> <span className="change tone-bad">▼</span>{' '}
          <span className="change muted">≈</span> <strong>metric</strong>{' '}
          <span className="muted">
            better, worse, or no verdict (with one boot each there is none) against the kernel that it is compared with;
            where cells are small, a coloured corner: upper left is better, lower left is worse
          </span>
        </li>
      </ul>
    </Popover>
  );
}
