import { Link } from '@tanstack/react-router';
import type { RunSummary } from '@peerlab/contracts';
import type { ReactNode } from 'react';

/** Runs chosen in the list, from the text in the address; two at most. */
export function readPicks(text: string | undefined): string[] {
  return [...new Set((text ?? '').split(',').filter(Boolean))].slice(0, 2);
}

/** Adds a run or removes it; a third run replaces the first. */
export function togglePick(picked: readonly string[], run: string): string[] {
  return picked.includes(run) ? picked.filter((each) => each !== run) : [...picked, run].slice(-2);
}

/** Actions on the chosen runs; the older of two is side A. */
export function PickBar({
  runs,
  picked,
  onClear,
}: {
  runs: readonly RunSummary[];
  picked: readonly string[];
  onClear: () => void;
}): ReactNode {
  // The list is newest first. A run that is no longer loaded counts as the oldest.
  const placeOf = (id: string): number => {
    const place = runs.findIndex((run) => run.id === id);
    return place === -1 ? runs.length : place;
  };
  const [a, b] = picked.toSorted((x, y) => placeOf(y) - placeOf(x));
  if (a === undefined) return null;
  return (
    <div className="pick-bar" role="status">
      {b === undefined ? (
        <span>Choose one more run to compare with.</span>
      ) : (
        <Link to="/compare" search={{ a, b }} className="button primary">
          Compare the two
        </Link>
      )}
      <button type="button" className="quiet" onClick={onClear}>
        Clear
      </button>
    </div>
  );
}
