import { VERDICT_TABLE, type Grid, type GridColumn } from '@peerlab/contracts';
import { useEffect, useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from 'react';
import { durationText } from '../ui/time.js';
import { VerdictCounts, VerdictMark } from '../ui/verdict.js';
import { GridHeader } from './GridHeader.js';
import { MetricRows } from './MetricRows.js';
import {
  cellLookup,
  countVerdicts,
  groupColumns,
  groupRows,
  groupStarts,
  worstCounted,
  type CellLookup,
  type SuiteRows,
} from './model.js';

interface Place {
  row: number;
  column: number;
}

interface GridTableProps {
  grid: Grid;
  matches: (text: string) => boolean;
  folded: ReadonlySet<string>;
  open: Place | null;
  showRun: boolean;
  onFold: (suite: string) => void;
  onOpen: (place: Place | null) => void;
}

/**
 * Tests × hardware combinations. One tab stop: the arrow keys move between cells, Enter opens the
 * evidence of a cell or folds a suite.
 */
export function GridTable({ grid, matches, folded, open, showRun, onFold, onOpen }: GridTableProps): ReactNode {
  const groups = useMemo(() => groupColumns(grid.columns), [grid]);
  const starts = useMemo(() => groupStarts(groups), [groups]);
  const lookup = useMemo(() => cellLookup(grid.cells), [grid]);
  const suites = useMemo(() => groupRows(grid, matches), [grid, matches]);
  const table = useRef<HTMLTableElement>(null);
  /** Line within the table and column; column 0 is the row's header. */
  const [focus, setFocus] = useState({ line: 0, column: 0 });

  const lines = useMemo(
    () => suites.flatMap(({ suite, rows }) => [suite, ...(folded.has(suite) ? [] : rows)]),
    [suites, folded],
  );
  const lineOf = useMemo(() => new Map(lines.map((what, line) => [what, line])), [lines]);
  const lastLine = lines.length - 1;
  const focused = {
    line: Math.min(focus.line, Math.max(0, lastLine)),
    column: Math.min(focus.column, grid.columns.length),
  };

  const openLine = open === null ? -1 : (lineOf.get(open.row) ?? -1);
  const openColumn = open === null ? -1 : open.column + 1;
  const [followed, setFollowed] = useState('');
  const openPlace = `${openLine}:${openColumn}`;
  if (openLine >= 0 && followed !== openPlace) {
    // A link to a cell makes that cell the tab stop.
    setFollowed(openPlace);
    setFocus({ line: openLine, column: openColumn });
  }
  useEffect(() => {
    cellElement(table.current, openLine, openColumn)?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [openLine, openColumn]);

  const move = (event: KeyboardEvent<HTMLTableElement>): void => {
    const at = placeOf(event.target);
    if (at === null) return;
    const target = moved(event, at, lastLine, grid.columns.length);
    if (target !== null) {
      event.preventDefault();
      cellElement(table.current, target.line, target.column)?.focus();
      return;
    }
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      activate(at.line, at.column);
    } else if (event.key === 'Escape' && open !== null) {
      event.preventDefault();
      onOpen(null);
    }
  };
  const activate = (line: number, column: number): void => {
    const what = lines[line];
    if (typeof what === 'string') onFold(what);
    else if (what !== undefined && column > 0) onOpen({ row: what, column: column - 1 });
  };
  const cellProps = (line: number, column: number) => ({
    'data-line': line,
    'data-column': column,
    tabIndex: line === focused.line && column === focused.column ? 0 : -1,
    onFocus: () => setFocus({ line, column }),
    onClick: () => activate(line, column),
  });

  return (
    <table
      ref={table}
      role="grid"
      aria-label="Verdicts by test and hardware combination"
      className="grid"
      onKeyDown={move}
    >
      <GridHeader columns={grid.columns} groups={groups} showRun={showRun} />
      {suites.map((rows) => {
        const suiteLine = lineOf.get(rows.suite) ?? 0;
        const isFolded = folded.has(rows.suite);
        return (
          <tbody key={rows.suite}>
            <tr className="suite-row">
              <th scope="row" {...cellProps(suiteLine, 0)} aria-expanded={!isFolded} className="row-head">
                <span aria-hidden="true" className="fold">
                  {isFolded ? '▸' : '▾'}
                </span>
                {rows.suite} <span className="muted">{rows.rows.length}</span>
              </th>
              {grid.columns.map((_, column) => (
                <SuiteCell
                  key={column}
                  rows={rows}
                  column={column}
                  lookup={lookup}
                  className={starts.has(column) ? 'group-start' : ''}
                  place={cellProps(suiteLine, column + 1)}
                />
              ))}
            </tr>
            {!isFolded &&
              rows.rows.map((row) => {
                const rowLine = lineOf.get(row) ?? 0;
                return (
                  <tr key={row}>
                    <th scope="row" {...cellProps(rowLine, 0)} className="row-head test-name">
                      {grid.rows[row]?.test}
                    </th>
                    {grid.columns.map((at, column) => (
                      <TestCell
                        key={column}
                        column={at}
                        cell={lookup(row, column)}
                        isOpen={open?.row === row && open.column === column}
                        isStart={starts.has(column)}
                        place={cellProps(rowLine, column + 1)}
                      />
                    ))}
                  </tr>
                );
              })}
          </tbody>
        );
      })}
      <MetricRows grid={grid} groups={groups} starts={starts} matches={matches} />
    </table>
  );
}

type CellPlace = { tabIndex: number; onFocus: () => void; onClick: () => void };

function SuiteCell({
  rows,
  column,
  lookup,
  className,
  place,
}: {
  rows: SuiteRows;
  column: number;
  lookup: CellLookup;
  className: string;
  place: CellPlace;
}): ReactNode {
  const counts = countVerdicts(rows.rows, column, lookup);
  return (
    <td {...place} className={className}>
      {worstCounted(counts) !== null && <VerdictCounts counts={counts} />}
    </td>
  );
}

function TestCell({
  cell,
  column,
  isOpen,
  isStart,
  place,
}: {
  cell: ReturnType<CellLookup>;
  column: GridColumn;
  isOpen: boolean;
  isStart: boolean;
  place: CellPlace;
}): ReactNode {
  const classes = ['cell'];
  if (isStart) classes.push('group-start');
  if (isOpen) classes.push('cell-open');
  if (cell === undefined) {
    const pending = column.state === 'running' || column.state === 'queued' || column.state === 'blocked';
    if (pending) classes.push('cell-pending');
    const title = pending ? `not reported yet: the job is ${column.state}` : 'never run';
    return (
      <td {...place} className={classes.join(' ')} title={title}>
        <span className="unseen">{title}</span>
      </td>
    );
  }
  const { label, help } = VERDICT_TABLE[cell.verdict];
  const title = [
    `${label}: ${cell.reason ?? help}`,
    ...(cell.durationMs === null ? [] : [`took ${durationText(cell.durationMs)}`]),
  ].join('\n');
  return (
    <td {...place} className={classes.join(' ')} title={title} aria-selected={isOpen}>
      <VerdictMark verdict={cell.verdict} />
    </td>
  );
}

function cellElement(table: HTMLTableElement | null, line: number, column: number): HTMLElement | null {
  return table?.querySelector<HTMLElement>(`[data-line="${line}"][data-column="${column}"]`) ?? null;
}

function placeOf(target: EventTarget): { line: number; column: number } | null {
  if (!(target instanceof HTMLElement)) return null;
  const { line, column } = target.dataset;
  return line === undefined || column === undefined ? null : { line: Number(line), column: Number(column) };
}

function moved(
  event: KeyboardEvent,
  at: { line: number; column: number },
  lastLine: number,
  lastColumn: number,
): { line: number; column: number } | null {
  const far = event.ctrlKey || event.metaKey;
  switch (event.key) {
    case 'ArrowRight':
      return { ...at, column: far ? lastColumn : Math.min(lastColumn, at.column + 1) };
    case 'ArrowLeft':
      return { ...at, column: far ? 0 : Math.max(0, at.column - 1) };
    case 'ArrowDown':
      return { ...at, line: far ? lastLine : Math.min(lastLine, at.line + 1) };
    case 'ArrowUp':
      return { ...at, line: far ? 0 : Math.max(0, at.line - 1) };
    case 'Home':
      return { line: far ? 0 : at.line, column: 0 };
    case 'End':
      return { line: far ? lastLine : at.line, column: lastColumn };
    default:
      return null;
  }
}
