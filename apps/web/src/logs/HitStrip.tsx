import { memo, type ReactNode } from 'react';
import { hitMarks, type Hits } from './hits.js';

/** More marks than this could not be told apart. */
const MARKS_MAX = 200;

/** Where the hits stand in the whole log: marks beside the scrollbar. */
export const HitStrip = memo(function HitStrip({ hits, total }: { hits: Hits; total: number }): ReactNode {
  return (
    <div className="log-strip" aria-hidden="true">
      {hitMarks(hits, total, MARKS_MAX).map((place) => (
        <i key={place} style={{ top: `${place * 100}%` }} />
      ))}
    </div>
  );
});
