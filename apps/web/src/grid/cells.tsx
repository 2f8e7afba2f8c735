import { VERDICT_TABLE, type Verdict } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { VerdictCounts, VerdictMark } from '../ui/verdict.js';
import type { CellLook } from './rows.js';
import { countVerdicts, isPending, worstCounted, type GridRows } from './model.js';

/** Attributes that the keyboard navigation needs on a cell. */
export interface CellPlace {
  'data-line': number;
  'data-column': number;
  'aria-colindex': number;
  tabIndex: number;
}

/** Summary of a suite in one column: all counts, or the worst verdict where there is no room. */
export function SuiteCell({
  grid,
  rows,
  column,
  dense,
  isNarrow,
  className,
  place,
}: {
  grid: GridRows;
  rows: readonly number[];
  column: number;
  dense: boolean;
  isNarrow: boolean;
  className: string;
  place: CellPlace;
}): ReactNode {
  const counts = countVerdicts(grid, rows, column);
  const worst = worstCounted(counts);
  const pending = rows.filter((row) => isPending(grid, row, column)).length;
  if (pending > 0 && (worst === null || !VERDICT_TABLE[worst].wrong)) {
    // No verdict before its end.
    const title = `${rows.length - pending} of ${rows.length} reported, nothing wrong so far`;
    return <td {...place} className={`cell-pending ${className}`} title={title} aria-label={title} />;
  }
  if (dense && worst !== null) {
    return (
      <DenseMark verdict={worst} title={`worst: ${VERDICT_TABLE[worst].label}`} className={className} place={place} />
    );
  }
  return (
    <td {...place} className={className}>
      {worst !== null && (isNarrow ? <VerdictMark verdict={worst} /> : <VerdictCounts counts={counts} />)}
    </td>
  );
}

/** A verdict drawn as a cell, most often without inner elements: thousands of these are drawn while a grid scrolls. */
function DenseMark({
  verdict,
  title,
  isOpen,
  className,
  place,
  children,
}: {
  verdict: Verdict;
  title: string;
  isOpen?: boolean;
  className: string;
  place: CellPlace;
  /** What stands in a corner. */
  children?: ReactNode;
}): ReactNode {
  const { icon, letter, label } = VERDICT_TABLE[verdict];
  if (children) {
    return (
      <td {...place} className={`cell-mark verdict-${verdict} ${className}`} title={title} aria-selected={isOpen}>
        <span role="img" aria-label={`${letter}, ${label}`}>
          {icon + letter}
        </span>
        {children}
      </td>
    );
  }
  return (
    <td
      {...place}
      className={`cell-mark verdict-${verdict} ${className}`}
      title={title}
      aria-label={`${letter}, ${label}`}
      aria-selected={isOpen}
    >
      {icon + letter}
    </td>
  );
}

/** One test in one column. */
export function TestCell({
  verdict,
  pending,
  reason,
  facts = [],
  isAlike = false,
  isKnown = false,
  look: { isOpen, isStart, dense, place },
  children,
}: {
  verdict: Verdict | null;
  /** Why there is no verdict yet; null = the test never ran here. */
  pending: string | null;
  /** Present for verdicts that are wrong. */
  reason: string | undefined;
  /** Further lines of the tooltip. */
  facts?: readonly string[];
  /** It failed in the same way as the open cell. */
  isAlike?: boolean;
  /** People know this failure. */
  isKnown?: boolean;
  look: CellLook;
  /** Shown next to the verdict. */
  children?: ReactNode;
}): ReactNode {
  const classes = ['cell'];
  if (isStart) classes.push('group-start');
  if (isOpen) classes.push('cell-open');
  if (isAlike) classes.push('cell-alike');
  if (isKnown) classes.push('cell-known');
  if (verdict === null) {
    if (pending !== null) classes.push('cell-pending');
    const title = pending ?? 'never run';
    return <td {...place} className={classes.join(' ')} title={title} aria-label={title} />;
  }
  const { label, help } = VERDICT_TABLE[verdict];
  const title = [
    `${label}: ${reason ?? help}`,
    ...facts,
    ...(isAlike ? ['fails in the same way as the open cell'] : []),
  ].join('\n');
  if (dense) {
    return (
      <DenseMark {...{ verdict, title, place }} isOpen={isOpen} className={classes.join(' ')}>
        {children}
      </DenseMark>
    );
  }
  return (
    <td {...place} className={classes.join(' ')} title={title} aria-selected={isOpen}>
      <VerdictMark verdict={verdict} />
      {children}
    </td>
  );
}
