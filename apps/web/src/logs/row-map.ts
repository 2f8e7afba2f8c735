import type { AttemptSummary } from '@peerlab/contracts';
import { firstFrom, type Hits } from './hits.js';
import type { LogStore } from './log-store.js';

type StageView = AttemptSummary['stages'][number];

/** The head of a stage among the lines. */
export interface StageHead {
  stage: string;
  status: StageView['status'];
  /** Number of its lines. */
  lines: number;
  isFolded: boolean;
}

/** Which lines the rows of the view show. */
export interface RowMap {
  count: number;
  /** The line of a row, or the head of a stage. */
  at: (row: number) => number | StageHead;
  /** The row of a line, or of what stands in its place. */
  rowOf: (line: number) => number;
}

/** Every line. */
export const allRows = (total: number): RowMap => ({ count: total, at: (row) => row, rowOf: (line) => line });

/** The lines that a search found. */
export const hitRows = (hits: Hits): RowMap => ({
  count: hits.length,
  at: (row) => hits[row] ?? 0,
  rowOf: (line) => Math.min(firstFrom(hits, line), Math.max(0, hits.length - 1)),
});

/** The line of a row, or the one below the head of a stage; 0 where there is none. */
export function firstLine(rows: RowMap, row: number): number {
  const both = [row, row + 1].map((each) => rows.at(Math.max(0, Math.min(each, rows.count - 1))));
  return both.find((each) => typeof each === 'number') ?? 0;
}

/** A stage and its lines, from `from` on and before `to`. */
export interface StageSpan {
  stage: string;
  status: StageView['status'];
  from: number;
  to: number;
}

/** Lines of a merged log by stage: a stage has those from its start until the next one starts. Pure. */
export function stageSpans(stages: readonly StageView[], store: Pick<LogStore, 'line' | 'total'>): StageSpan[] {
  const begun = stages
    .map(({ stage, status, startedAt }) => ({ stage, status, at: Date.parse(startedAt) }))
    .toSorted((a, b) => a.at - b.at);
  const starts = begun.map(({ at }) => firstAt(store, at));
  return begun.map(({ stage, status }, index) => ({
    stage,
    status,
    from: starts[index] ?? 0,
    to: starts[index + 1] ?? store.total(),
  }));
}

/** The same in a log of one stream, where the controller knows their first lines. Stages without a line there have no span. Pure. */
export function streamSpans(
  stages: readonly StageView[],
  starts: readonly { stage: string; fromSeq: number }[],
  total: number,
): StageSpan[] {
  const statusOf = new Map<string, StageView['status']>(stages.map(({ stage, status }) => [stage, status]));
  return starts.flatMap(({ stage, fromSeq: from }, index) => {
    const [status, to] = [statusOf.get(stage), starts[index + 1]?.fromSeq ?? total];
    return status === undefined || to <= from ? [] : [{ stage, status, from, to }];
  });
}

/** Stages folded at first: when one failed, those that passed. */
export function foldedAtFirst(stages: readonly StageView[]): ReadonlySet<string> {
  if (!stages.some(({ status }) => status === 'failed')) return new Set();
  return new Set(stages.flatMap(({ stage, status }) => (status === 'passed' ? [stage] : [])));
}

/** Lines below the heads of their stages, without those of folded stages. Pure. */
export function stageRows(spans: readonly StageSpan[], folded: ReadonlySet<string>, total: number): RowMap {
  const before = spans[0]?.from ?? total;
  let row = before;
  const pieces = spans.map((span) => {
    const isFolded = folded.has(span.stage);
    const head = row;
    row += 1 + (isFolded ? 0 : span.to - span.from);
    return { ...span, head, isFolded };
  });
  return {
    count: row,
    at(wanted) {
      const piece = pieces.findLast(({ head }) => head <= wanted);
      if (piece === undefined) return wanted;
      if (piece.head < wanted) return piece.from + wanted - piece.head - 1;
      const { stage, status, from, to, isFolded } = piece;
      return { stage, status, lines: to - from, isFolded };
    },
    rowOf(line) {
      const piece = pieces.find(({ from, to }) => from <= line && line < to);
      if (piece === undefined) return line;
      return piece.isFolded ? piece.head : piece.head + 1 + line - piece.from;
    },
  };
}

/** First line at or after a time, in milliseconds since 1970. */
function firstAt({ line, total }: Pick<LogStore, 'line' | 'total'>, at: number): number {
  let low = 0;
  let high = total();
  while (low < high) {
    const middle = (low + high) >> 1;
    const held = line(middle);
    if (typeof held === 'object' && held.at < at) low = middle + 1;
    else high = middle;
  }
  return low;
}
