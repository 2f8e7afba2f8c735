import { bootsText, metricName, unitText } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { countOf, countText, numberText } from '../ui/numbers.js';
import {
  changeText,
  changeThanText,
  compareMetric,
  timesText,
  type GridMetricRow,
  type MetricChange,
} from './model.js';
import { WIDE_COLUMNS } from './window.js';

/** How the metrics of the columns of a grid are compared. */
export interface MetricFrame {
  /** Columns with which a column may be compared: the first one with a value is used. */
  againstOf: (column: number) => readonly number[];
  /** Name of a column in a sentence: `build base`. */
  nameOf: (column: number) => string;
  /** Hash of a column's hardware combination. */
  combinationOf: (column: number) => string;
  /** Some machines are virtual: figures are ratios only. */
  isVirtual: boolean;
  /** Whether the boots of a column have a verdict on a metric; absent = none has, with one boot in each column. */
  isClear?: (row: GridMetricRow, column: number) => boolean;
}

/** Room in a cell: for text next to the verdict, for short text below it, for a bare number, or for a sign in the corner. */
export type MetricRoom = 'wide' | 'narrow' | 'number' | 'dense';

/** What a column of a dense grid has room for. */
export const denseRoom = (columns: number): MetricRoom => (columns <= WIDE_COLUMNS ? 'number' : 'dense');

/** Median, samples, quartiles and change since the base, as lines of a tooltip. */
export function metricFacts(row: GridMetricRow, column: number, frame: MetricFrame): string[] {
  const value = row.values[column];
  if (value == null) return [];
  const change = compareMetric(row, column, frame.againstOf(column), frame.isClear);
  return [
    `${metricName(row)}: median ${numberText(value.median)} ${unitText(row.unit)}, ${samplesText(value)}`,
    `${value.boots === undefined ? 'quartiles' : 'boots'} ${numberText(value.lowerQuartile)} … ${numberText(value.upperQuartile)}, ${row.better} is better`,
    ...(change === null ? [] : [changeThanText(change, frame.nameOf(change.against))]),
  ];
}

/** `n = 11`, and `5 boots, n = 55` of a value that stands for several. */
export function samplesText({ n, boots }: { n: number; boots?: number | undefined }): string {
  return `${boots === undefined ? '' : `${bootsText(boots)}, `}n = ${countText(n)}`;
}

/** CSS class for the colour of a change; an unclear change has no colour. */
export function toneOf(change: MetricChange | null): string {
  if (change === null || !change.clear) return 'muted';
  return change.factor >= 1 ? 'tone-good' : 'tone-bad';
}

/** `▲` better, `▼` worse, `≈` no verdict. */
export function changeSign({ factor, clear }: MetricChange): string {
  if (!clear) return '≈';
  return factor >= 1 ? '▲' : '▼';
}

/** Change of a metric since the base, in words or, where there is little room, as a sign and a number. */
export function ChangeMark({ change, room }: { change: MetricChange | null; room: MetricRoom }): ReactNode {
  if (change === null) return null;
  if (room === 'wide') return <span className={`change ${toneOf(change)}`}>{changeText(change)}</span>;
  return (
    <span className={`change ${toneOf(change)}`}>
      <span aria-hidden="true">
        {changeSign(change)}
        {timesText(change)}
      </span>
      <span className="unseen">{changeText(change)}</span>
    </span>
  );
}

/** The first metric of a test in one column, next to its verdict, and how many more there are. */
export function CellMetric({
  metrics,
  column,
  frame,
  room,
}: {
  metrics: readonly GridMetricRow[];
  column: number;
  frame: MetricFrame;
  room: MetricRoom;
}): ReactNode {
  const [first, ...rest] = metrics.filter((row) => row.values[column] != null);
  const value = first?.values[column];
  if (first === undefined || value == null) return null;
  const change = compareMetric(first, column, frame.againstOf(column), frame.isClear);
  if (room === 'dense' || room === 'number') {
    if (change?.clear !== true) return null;
    // A sign next to the verdict would not fit.
    return (
      <span className={change.factor >= 1 ? 'corner-better' : 'corner-worse'}>
        <span className="unseen">, {changeText(change)}</span>
      </span>
    );
  }
  return (
    <span className={`cell-metric cell-metric-${room}`}>
      <span>
        <span className="number strong">{numberText(value.median)}</span>{' '}
        <span className="muted">{unitText(first.unit)}</span>
      </span>
      {/* In words: `+2` next to a number would read as a change. */}
      {rest.length > 0 && room === 'wide' && <span className="muted">and {countOf(rest.length, 'more metric')}</span>}
      <ChangeMark change={change} room={room} />
    </span>
  );
}
