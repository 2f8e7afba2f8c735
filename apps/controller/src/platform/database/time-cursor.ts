/**
 * SQL expression: where a page ends that is sorted by this time and then by this id, as `timeCursor` of the contracts
 * reads it. The time is exact: a Date has milliseconds, the columns have microseconds.
 * @param time expression of type timestamptz
 * @param id expression of the id, of any type
 */
export const timeCursorSql = (time: string, id: string): string =>
  `to_char(${time} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z~"') || ${id}`;
