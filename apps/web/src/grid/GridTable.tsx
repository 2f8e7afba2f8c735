import { lazy, Suspense, useMemo, useRef, useState, type ReactNode } from 'react';
import { Loading } from '../ui/section.js';
import { useIsPrinting } from '../ui/printing.js';
import { GridBody, PRINTED_CELLS, type GridTableProps } from './GridBody.js';
import { gridLines } from './levels.js';
import { denseSizes, isCoarsePointer, isLarge, wholeWindow } from './window.js';

const LargeGridBody = lazy(async () => ({ default: (await import('./LargeGridBody.js')).LargeGridBody }));

/** Tests × columns, dense or roomy. Of a large grid only the part in view is drawn. */
export function GridTable(props: GridTableProps): ReactNode {
  const { rows, suites, columns, folded, wholeCells } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const { lines, levels, tests } = useMemo(() => gridLines({ rows }, suites, folded), [rows, suites, folded]);
  const isLong = isLarge(lines.length, columns, wholeCells);
  // Paper cannot be scrolled.
  const isPrinted = useIsPrinting() && lines.length * columns <= PRINTED_CELLS;
  const [isCoarse] = useState(isCoarsePointer);
  const body = {
    ...props,
    scroller,
    lines,
    levels,
    tests,
    large: isLong && !isPrinted,
    dense: isLong || !props.isRoomy,
    isCoarse,
    sizes: denseSizes(columns, isCoarse),
  };
  // By all rows, with a line for suite and level of each at most: what is filtered or folded must not replace the table.
  if (!isLarge(3 * rows.length, columns, wholeCells)) {
    return <GridBody {...body} shown={wholeWindow(lines.length, columns)} />;
  }
  return (
    <Suspense fallback={<Loading what="the grid" />}>
      <LargeGridBody {...body} />
    </Suspense>
  );
}
