import { useState, type ReactNode } from 'react';
import { countText } from './numbers.js';

/**
 * The first rows of a long table, and a button below them that shows the rest; the button is null once all are shown.
 * @param what plural name of the rows
 */
export function useFirst<T>(all: readonly T[], first: number, what: string): { shown: readonly T[]; rest: ReactNode } {
  const [isAll, setAll] = useState(false);
  if (isAll || all.length <= first) return { shown: all, rest: null };
  return {
    shown: all.slice(0, first),
    rest: (
      <p className="after-list">
        <button type="button" onClick={() => setAll(true)}>
          Show all {countText(all.length)} {what}
        </button>
      </p>
    ),
  };
}
