import { TypeOverrides, types, type QueryResultRow } from 'pg';
import type { RowOf, Shape } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';

/** int8 as number, as production statements answer it. */
const numbersForInt8 = new TypeOverrides(types);
numbersForInt8.setTypeParser(types.builtins.INT8, (text: string) => Number(text));

/**
 * Statements of a test: rows of any type, which the test names itself and compares with what it expects. Statements
 * with a shape, and transactions, are those of production.
 */
export class TestSql extends Sql {
  override rows<S extends Shape>(shape: S, text: string, values?: unknown[]): Promise<RowOf<S>[]>;
  override rows<T extends QueryResultRow>(text: string, values?: unknown[]): Promise<T[]>;
  override async rows(first: string | Shape, second?: unknown, third?: unknown[]): Promise<never[]> {
    if (typeof first !== 'string') return (await super.rows(first, second as string, third)) as never[];
    const { rows } = await this.pool.query<QueryResultRow>({
      text: first,
      types: numbersForInt8,
      ...(second === undefined ? {} : { values: second as unknown[] }),
    });
    return rows as never[];
  }

  override one<S extends Shape>(shape: S, text: string, values?: unknown[]): Promise<RowOf<S> | null>;
  override one<T extends QueryResultRow>(text: string, values?: unknown[]): Promise<T | null>;
  override async one(first: string | Shape, second?: unknown, third?: unknown[]): Promise<unknown> {
    const rows = await this.rows(first as Shape, second as string, third);
    if (rows.length > 1) throw new Error(`expected at most one row, got ${rows.length}`);
    return rows[0] ?? null;
  }
}
