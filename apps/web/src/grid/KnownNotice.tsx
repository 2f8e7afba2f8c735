import type { Grid } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { countOf, countText } from '../ui/numbers.js';
import { shownMark, type KnownCells } from './known.js';

/** How many failures of a grid are new, and why the others are known. */
export function KnownNotice({ known, marks }: { known: KnownCells | null; marks: Grid['marks'] }): ReactNode {
  if (known === null) return null;
  return (
    <details className="muted">
      <summary>
        {countOf(known.fresh, 'new failure')}
        {known.fresh > 0 && ', which stand first'}; {countText(known.known)} known
      </summary>
      <ul>
        {marks.map((mark) => (
          <li key={shownMark(mark)}>{shownMark(mark)}</li>
        ))}
      </ul>
    </details>
  );
}
