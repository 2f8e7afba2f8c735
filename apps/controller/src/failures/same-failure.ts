import { VERDICT_TABLE, VERDICTS, type KnownFailure } from '@peerlab/contracts';
import { columnsOf, pick, type RowOf } from '../platform/database/row-shape.js';
import { KnownFailureRow } from '../schema/failures.js';

/** Verdicts that are failures of their own: someone has to look at them. */
export const FAILURE_VERDICTS = VERDICTS.filter((verdict) => VERDICT_TABLE[verdict].wrong);

/** Which failure a row of `result` is: the expression of the index result_failure. @param result alias of the table */
export const failureOf = (result: string): string =>
  `failure_key(${result}.verdict, ${result}.signature, ${result}.reason)`;

/**
 * Condition: the row of `result` is a failure, so that the index result_failure has it.
 * @param result alias of the table
 * @param verdicts placeholder of FAILURE_VERDICTS
 */
export const isFailure = (result: string, verdicts: string): string =>
  `${result}.verdict <> 'pass' and ${result}.verdict = any(${verdicts}::text[])`;

/** Columns of a mark. */
export const KNOWN = pick(columnsOf(KnownFailureRow), 'id', 'reason', 'by', 'at', 'until', 'ended_by', 'ended_at');
export type KnownRow = RowOf<typeof KNOWN>;

export function knownView({ id, reason, by, at, until, ended_by, ended_at }: KnownRow): KnownFailure {
  return {
    id,
    reason,
    by,
    at: at.toISOString(),
    until: until.toISOString(),
    ended: ended_by === null || ended_at === null ? null : { by: ended_by, at: ended_at.toISOString() },
  };
}
