import { useMemo } from 'react';
import type { GridSearch } from '../search.js';

/** Properties of both views of the grid: the search part of the address and a function that changes it. */
export interface GridViewProps<T> {
  data: T;
  search: GridSearch;
  /** The filter, over `suite/test`. */
  matches: (text: string) => boolean;
  /** Replaces the address unless told otherwise. */
  change: (next: Partial<GridSearch>, replace?: boolean) => void;
}

/** Folded suites, as the address has them. */
export function useFolded(
  search: GridSearch,
  change: GridViewProps<unknown>['change'],
): { folded: ReadonlySet<string>; fold: (suite: string) => void } {
  const folded = useMemo(() => new Set((search.folded ?? '').split(',').filter(Boolean)), [search.folded]);
  return {
    folded,
    fold: (suite) => {
      const next = new Set(folded);
      if (!next.delete(suite)) next.add(suite);
      change({ folded: [...next].join(',') || undefined });
    },
  };
}

/** Returns the focus to the tab stop of the grid. */
export function focusGrid(): void {
  document.querySelector<HTMLElement>('table.grid [tabindex="0"]')?.focus({ preventScroll: true });
}
