import { Pool, TypeOverrides, types, type PoolClient, type QueryResultRow } from 'pg';
import { errorFields, writeLog } from '../logging.js';
import { outliveErrors, pgOptions, type DatabaseAddress } from './connection.js';

/** What may be asked of the database, inside or outside a transaction. */
export interface Queries {
  rows<T extends QueryResultRow>(text: string, values?: unknown[]): Promise<T[]>;
  /** The only row or null; more than one is a bug. */
  one<T extends QueryResultRow>(text: string, values?: unknown[]): Promise<T | null>;
  /** Rows touched by a statement without an answer. */
  run(text: string, values?: unknown[]): Promise<number>;
}

/** Deadlock, serialization failure and unique violation: another transaction was first. */
const DEADLOCK = '40P01';
const SERIALIZATION = '40001';
const ATTEMPTS = 5;

/** int8 as number: fences, sequences and epoch milliseconds all stay below 2^53. */
const numbersForInt8 = new TypeOverrides(types);
numbersForInt8.setTypeParser(types.builtins.INT8, (text: string) => Number(text));

/** Whether an error is this Postgres error code, e.g. 23505. */
export function isPgError(error: unknown, code: string): boolean {
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

/** Raw SQL over one pool; the TypeORM data source has its own. */
export class Sql implements Queries {
  readonly pool: Pool;

  constructor(address: DatabaseAddress, size = 12) {
    this.pool = new Pool({
      ...pgOptions(address),
      max: size,
      types: numbersForInt8,
      application_name: 'peerlab',
      connectionTimeoutMillis: 15_000,
      keepAlive: true,
      onConnect: outliveErrors,
    });
    // Without a listener a lost idle connection would end the process.
    this.pool.on('error', (error) => writeLog('warn', 'a database connection was lost', errorFields(error)));
  }

  async rows<T extends QueryResultRow>(text: string, values?: unknown[]): Promise<T[]> {
    return (await this.pool.query<T>(text, values)).rows;
  }

  async one<T extends QueryResultRow>(text: string, values?: unknown[]): Promise<T | null> {
    return onlyRow(await this.rows<T>(text, values));
  }

  async run(text: string, values?: unknown[]): Promise<number> {
    return (await this.pool.query(text, values)).rowCount ?? 0;
  }

  /**
   * Runs `work` in one READ COMMITTED transaction. Repeated after a deadlock, so `work` must have no
   * effect outside the database.
   */
  async transaction<T>(work: (tx: Queries) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const client = await this.pool.connect();
      let broken: Error | undefined;
      const onError = (error: Error): void => {
        broken = error;
      };
      client.on('error', onError);
      try {
        await client.query('begin');
        const answer = await work(queriesOf(client));
        await client.query('commit');
        return answer;
      } catch (error) {
        await client.query('rollback').catch((rollback: Error) => {
          broken = rollback;
        });
        const again = isPgError(error, DEADLOCK) || isPgError(error, SERIALIZATION);
        if (!again || attempt >= ATTEMPTS) throw error;
      } finally {
        client.off('error', onError);
        client.release(broken);
      }
    }
  }

  async close(): Promise<void> {
    await this.pool.end();
  }
}

function queriesOf(client: PoolClient): Queries {
  const rows = async <T extends QueryResultRow>(text: string, values?: unknown[]): Promise<T[]> =>
    (await client.query<T>(text, values)).rows;
  return {
    rows,
    one: async <T extends QueryResultRow>(text: string, values?: unknown[]) => onlyRow(await rows<T>(text, values)),
    run: async (text, values) => (await client.query(text, values)).rowCount ?? 0,
  };
}

function onlyRow<T>(rows: T[]): T | null {
  if (rows.length > 1) throw new Error(`expected at most one row, got ${rows.length}`);
  return rows[0] ?? null;
}
