import { PENDING_LETTER, VERDICT_TABLE, VERDICTS } from '@peerlab/contracts';
import type { GridSearch } from '../search.js';
import { isDiffering, type GridRows } from './model.js';

/** What a chip above the grid stands for. */
export const ROW_MARKS = [...VERDICTS, 'pending'] as const;
export type RowMark = (typeof ROW_MARKS)[number];

const letterOf = (mark: RowMark): string => (mark === 'pending' ? PENDING_LETTER : VERDICT_TABLE[mark].letter);

/** The chips that are pressed, as the address has them; unknown words are left out. */
export function chosenMarks(verdict: GridSearch['verdict']): ReadonlySet<RowMark> {
  const words = new Set((verdict ?? '').split(','));
  return new Set(ROW_MARKS.filter((mark) => words.has(mark)));
}

/** The address after a chip was pressed. */
export function toggledMark(verdict: GridSearch['verdict'], mark: RowMark): string | undefined {
  const next = new Set(chosenMarks(verdict));
  if (!next.delete(mark)) next.add(mark);
  return ROW_MARKS.filter((each) => next.has(each)).join(',') || undefined;
}

/** Whether a row is shown: by its text, by the chips (any column), and by whether its columns differ. Pure. */
export function rowFilter(
  grid: GridRows,
  { verdict, differing }: Pick<GridSearch, 'verdict' | 'differing'>,
  matches: (text: string) => boolean,
): (text: string, row: number) => boolean {
  const letters = [...chosenMarks(verdict)].map(letterOf);
  return (text, row) => {
    if (!matches(text)) return false;
    const verdicts = grid.rows[row]?.verdicts ?? '';
    if (letters.length > 0 && !letters.some((letter) => verdicts.includes(letter))) return false;
    return differing === undefined || isDiffering(grid, row);
  };
}

/** Whether rows may be left out, and the change of the address that shows all of them. */
export function isFiltered({ q, verdict, differing }: Pick<GridSearch, 'q' | 'verdict' | 'differing'>): boolean {
  return (q ?? '') !== '' || chosenMarks(verdict).size > 0 || differing !== undefined;
}
export const NO_FILTER = { q: undefined, verdict: undefined, differing: undefined } as const;

/** How often each chip's mark is in the grid. */
export function countMarks(grid: GridRows): ReadonlyMap<RowMark, number> {
  const counts = new Map<string, number>();
  for (const { verdicts } of grid.rows) {
    for (const letter of verdicts) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  }
  return new Map(
    ROW_MARKS.flatMap((mark) => {
      const count = counts.get(letterOf(mark));
      return count === undefined ? [] : [[mark, count] as const];
    }),
  );
}
