import type { Grid } from '../schema/grid.js';
import type { KnownFailure } from '../schema/failure-memory.js';

/** Whether a mark stands: it was not withdrawn and its end is ahead. @param nowMs milliseconds since 1970 */
export function isKnownNow(known: KnownFailure | null, nowMs: number): boolean {
  return known !== null && known.ended === null && Date.parse(known.until) > nowMs;
}

/**
 * Why a failure counts as known: `known until 2026-03-01 (baseline of 7.3.4, accepted by ann): why`.
 * @param day how the day of a time is written
 */
export function markText(
  { reason, by, until, base }: Grid['marks'][number],
  day: (time: string) => string = (time) => time.slice(0, 'YYYY-MM-DD'.length),
): string {
  const what = base === null ? `marked by ${by}` : `baseline of ${base}, accepted by ${by}`;
  return `known until ${day(until)} (${what}): ${reason}`;
}

/** The mark of a cell of a grid whose failure is known, by row and column. */
export function marksOf({
  known,
  marks,
}: Pick<Grid, 'known' | 'marks'>): (row: number, column: number) => Grid['marks'][number] | undefined {
  const markAt = new Map(known.map(({ row, column, mark }) => [`${row}:${column}`, mark]));
  return (row, column) => marks[markAt.get(`${row}:${column}`) ?? -1];
}
