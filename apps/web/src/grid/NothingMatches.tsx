import type { ReactNode } from 'react';
import { Empty } from '../ui/section.js';
import { isFiltered, NO_FILTER } from './row-choice.js';
import type { GridViewProps } from './view.js';

/** In place of rows when the filters refuse all of them. */
export function NothingMatches({ search, change }: Pick<GridViewProps<unknown>, 'search' | 'change'>): ReactNode {
  if (!isFiltered(search)) return null;
  return (
    <Empty title="No test matches.">
      <p>
        <button type="button" onClick={() => change(NO_FILTER, false)}>
          Clear the filter
        </button>
      </p>
    </Empty>
  );
}
