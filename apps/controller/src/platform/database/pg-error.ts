/** Whether an error is this Postgres error code, e.g. 23505. */
export function isPgError(error: unknown, code: string): error is Error & { code: string; constraint?: string } {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** Codes of values that no column takes (class 22), and of statements or rows beyond what Postgres has room for (54). */
const DATA_ERROR = /^(22|54)[0-9A-Z]{3}$/;

/** Whether Postgres refused the values themselves: the same statement fails each time it is repeated. */
export function isDataError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && DATA_ERROR.test(error.code);
}

/** Codes of statements that are wrong or break a constraint: 21, 23, 42, and what a trigger raises. */
const STATEMENT_ERROR = /^(21|23|42|P0)[0-9A-Z]{3}$/;

/** Whether a statement failed by itself, and not because the database is away. Another one may have been first. */
export function isStatementError(error: unknown): boolean {
  return (
    error instanceof Error && 'code' in error && typeof error.code === 'string' && STATEMENT_ERROR.test(error.code)
  );
}
