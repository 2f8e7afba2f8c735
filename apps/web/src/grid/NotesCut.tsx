import type { Grid } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { countText } from '../ui/numbers.js';

type Notes = Pick<Grid, 'notes' | 'notesTotal'>;

/** Whether the answer has the reasons of all cells that went wrong. */
export const hasAllNotes = ({ notes, notesTotal = notes.length }: Notes): boolean => notes.length >= notesTotal;

/** Says which reasons the tooltips have when the answer has not all; nothing else. */
export function NotesCut({ grid }: { grid: Notes }): ReactNode {
  if (hasAllNotes(grid)) return null;
  return (
    <p className="notice notice-quiet">
      Tooltips have the reasons of the first {countText(grid.notes.length)} of {countText(grid.notesTotal ?? 0)} cells
      that went wrong. Open a cell for its own.
    </p>
  );
}
