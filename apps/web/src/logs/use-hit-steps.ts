import { useRef, useState } from 'react';
import { nextHit, type Hits } from './hits.js';
import type { SearchState } from './use-log-search.js';

interface HitSteps {
  /** Whether the last step went on at the other end. */
  hasWrapped: boolean;
  /** Goes to the next hit, now or, with `isLater`, when the query that was just typed has one. */
  step: (direction: 1 | -1, search: SearchState, isLater: boolean) => void;
  /** Takes the step that was asked for before there was a hit. */
  onFound: (search: SearchState) => void;
}

/**
 * Steps from hit to hit. A step that finds none yet is taken once the search has found one.
 * @param here the line from which a step in a direction goes
 */
export function useHitSteps(here: (direction: 1 | -1, hits: Hits) => number, jump: (line: number) => void): HitSteps {
  const wanted = useRef<1 | -1 | null>(null);
  const [hasWrapped, setWrapped] = useState(false);
  const take = (direction: 1 | -1, { hits, share, problem }: SearchState): void => {
    const next = nextHit(hits, here(direction, hits), direction);
    // Until all is searched, a hit in this direction may still come.
    const isEarly = share < 1 && problem === null && (next === null || next.hasWrapped);
    wanted.current = isEarly ? direction : null;
    const line = hits[next?.place ?? -1];
    if (isEarly || line === undefined) return;
    setWrapped(next?.hasWrapped ?? false);
    jump(line);
  };
  return {
    hasWrapped,
    step(direction, search, isLater) {
      if (isLater) wanted.current = direction;
      else take(direction, search);
    },
    onFound(search) {
      if (wanted.current !== null) take(wanted.current, search);
    },
  };
}
