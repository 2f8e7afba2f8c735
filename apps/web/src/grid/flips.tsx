import { useQuery } from '@tanstack/react-query';
import { FLAKINESS_WINDOW, type Flips } from '@peerlab/contracts';
import { useMemo, type ReactNode } from 'react';
import { flakinessQuery } from '../api/grid.js';
import { countText } from '../ui/numbers.js';
import { ErrorNotice } from '../ui/section.js';
import { flipsOf, type FlipsByTest, type GridRows } from './model.js';

interface FlipsState {
  flips: FlipsByTest;
  /** Shown above the grid: an error, or that counting is still in progress. */
  notice: ReactNode;
  /** Shown next to the name of a test; absent unless the grid is sorted by flakiness. */
  renderRowNote: ((row: number) => ReactNode) | undefined;
}

/** How often tests flip. Fetched only while the grid is sorted by it. */
export function useFlips(grid: GridRows, isWanted: boolean, combination: string | undefined): FlipsState {
  const { data, error, refetch } = useQuery({ ...flakinessQuery(combination), enabled: isWanted });
  const flips = useMemo(
    () => new Map((data?.tests ?? []).map(({ suite, test, ...counted }) => [`${suite}/${test}`, counted])),
    [data],
  );
  if (!isWanted) return { flips, notice: null, renderRowNote: undefined };
  return {
    flips,
    notice:
      error === null ? (
        <p className="totals muted" role="status">
          {data === undefined
            ? 'Counting flips…'
            : `Flips: how often the verdict changed on the same kernel and combination, in the newest ${FLAKINESS_WINDOW} attempts of each build name (${countText(data.attempts)} attempts${data.pending > 0 ? `, ${countText(data.pending)} of them still to be summed up` : ''}).`}
        </p>
      ) : (
        <ErrorNotice error={error} retry={() => void refetch()} />
      ),
    renderRowNote: (row) => <FlipsNote flips={flipsOf(grid, row, flips)} isKnown={data !== undefined} />,
  };
}

function FlipsNote({ flips, isKnown }: { flips: Flips | undefined; isKnown: boolean }): ReactNode {
  if (!isKnown) return null;
  if (flips === undefined) {
    return (
      <span className="row-note muted" title="no two results on one kernel to compare">
        –
      </span>
    );
  }
  const text = `flipped ${countText(flips.flips)} of ${countText(flips.chances)} times`;
  return (
    <span className={flips.flips > 0 ? 'row-note chip chip-warn' : 'row-note muted'} title={text}>
      <span aria-hidden="true">
        {countText(flips.flips)}/{countText(flips.chances)}
      </span>
      <span className="unseen"> {text}</span>
    </span>
  );
}
