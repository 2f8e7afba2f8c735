import { createHash } from 'node:crypto';
import { log } from '@peerlab/runtime';
import { Pool, TypeOverrides, types, type PoolClient, type QueryResult, type QueryResultRow } from 'pg';
import { endsWithin } from '../deadline.js';
import { LockOrderCheck } from './lock-order.js';
import { pgOptions, POOL_OPTIONS, type DatabaseAddress } from './connection.js';
import { isPgError } from './pg-error.js';
import { whyNotShape, type RowOf, type Shape } from './row-shape.js';

/**
 * A statement that each connection parses once, and plans anew only while that is worth it: for those that run with every
 * job and are long to plan. Its plan must not depend on its values, and it names the columns that it answers, since a
 * migration may add some.
 */
export interface Prepared {
  text: string;
  /** Names it on the connection; the same for the same text. */
  name: string;
}

export const prepared = (text: string): Prepared => ({
  text,
  name: createHash('sha256').update(text).digest('base64url').slice(0, 22),
});

/** A statement with places for values, `$1` and so on. */
type Statement = string | Prepared;

/** What may be asked of the database, inside or outside a transaction. */
export interface Queries {
  /** Rows of a statement whose columns the shape describes (row-shape.ts). */
  rows<S extends Shape>(shape: S, text: Statement, values?: unknown[]): Promise<RowOf<S>[]>;
  /** The only row or null; more than one is a bug. */
  one<S extends Shape>(shape: S, text: Statement, values?: unknown[]): Promise<RowOf<S> | null>;
  /** Whether the statement answers with any row; for `select 1 …`. */
  exists(text: Statement, values?: unknown[]): Promise<boolean>;
  /** Rows touched by a statement without an answer. */
  run(text: Statement, values?: unknown[]): Promise<number>;
}

/** Deadlock, serialization failure and unique violation: another transaction was first. */
const DEADLOCK = '40P01';
const SERIALIZATION = '40001';
const ATTEMPTS = 5;

/** int8 as number: fences, sequences and epoch milliseconds all stay below 2^53. */
const numbersForInt8 = new TypeOverrides(types);
numbersForInt8.setTypeParser(types.builtins.INT8, (text: string) => Number(text));

/** In tests answers are compared with their shapes and locks with their order: `vitest` sets NODE_ENV. */
const CHECKS = process.env['NODE_ENV'] === 'test';

const textOf = (statement: Statement): string => (typeof statement === 'string' ? statement : statement.text);

type Client = Pick<PoolClient, 'query'>;

/** Statements over one client or pool. */
class ClientQueries implements Queries {
  readonly #client: Client;
  readonly #lockOrder: LockOrderCheck | null;

  /** `lockOrder` = of the client's transaction; null = statements outside of a transaction. */
  constructor(client: Client, lockOrder: LockOrderCheck | null = null) {
    this.#client = client;
    this.#lockOrder = lockOrder;
  }

  async rows<S extends Shape>(shape: S, text: Statement, values?: unknown[]): Promise<RowOf<S>[]> {
    const { rows, fields } = await this.#query(text, values);
    const problem = CHECKS ? whyNotShape(shape, fields, rows) : null;
    if (problem !== null) throw new Error(`${problem}: ${textOf(text)}`);
    return rows as RowOf<S>[];
  }

  async one<S extends Shape>(shape: S, text: Statement, values?: unknown[]): Promise<RowOf<S> | null> {
    const rows = await this.rows(shape, text, values);
    if (rows.length > 1) throw new Error(`expected at most one row, got ${rows.length}`);
    return rows[0] ?? null;
  }

  async exists(text: Statement, values?: unknown[]): Promise<boolean> {
    return ((await this.#query(text, values)).rowCount ?? 0) > 0;
  }

  async run(text: Statement, values?: unknown[]): Promise<number> {
    return (await this.#query(text, values)).rowCount ?? 0;
  }

  async #query(statement: Statement, values: unknown[] | undefined): Promise<QueryResult<QueryResultRow>> {
    const text = textOf(statement);
    const problem = this.#lockOrder?.problemOf(text, values) ?? null;
    if (problem !== null) throw new Error(`the transaction ${problem}: ${text}`);
    return this.#client.query({
      text,
      types: numbersForInt8,
      ...(typeof statement === 'string' ? {} : { name: statement.name }),
      ...(values === undefined ? {} : { values }),
    });
  }
}

/** Statements over the controller's pool. */
export class Sql extends ClientQueries {
  readonly pool: Pool;
  /** Connections that run a statement or a transaction now. */
  readonly #busy = new Set<PoolClient>();

  /** Over a pool that its owner closes, such as TypeORM's, or over one of its own, of `size` connections. */
  constructor(source: Pool | DatabaseAddress, size = 12) {
    const pool = source instanceof Pool ? source : openPool(source, size);
    super(pool);
    this.pool = pool;
    pool.on('acquire', (client) => this.#busy.add(client));
    pool.on('release', (_error, client) => this.#busy.delete(client));
    pool.on('remove', (client) => this.#busy.delete(client));
  }

  /**
   * Runs `work` in one READ COMMITTED transaction. Repeated after a deadlock, so `work` must have no
   * effect outside the database.
   */
  transaction<T>(work: (tx: Queries) => Promise<T>): Promise<T> {
    return this.#transaction('begin', work);
  }

  /**
   * Reads all of one moment: what `work` reads in several statements belongs together. They run one after the other on one
   * connection, and none of them may write.
   */
  snapshot<T>(work: (queries: Queries) => Promise<T>): Promise<T> {
    return this.#transaction('begin transaction isolation level repeatable read, read only', work);
  }

  async #transaction<T>(begin: string, work: (tx: Queries) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const client = await this.pool.connect();
      let broken: Error | undefined;
      const onError = (error: Error): void => {
        broken = error;
      };
      client.on('error', onError);
      try {
        await client.query(begin);
        const answer = await work(new ClientQueries(client, CHECKS ? new LockOrderCheck() : null));
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

  /**
   * Waits for the connections that are in use, at most `limitMs` milliseconds, and ends the others: their statements
   * fail, and Postgres rolls their transactions back.
   */
  async endBusy(limitMs: number): Promise<void> {
    const released = new Promise<void>((resolve) => {
      const check = (): void => {
        if (this.#busy.size === 0) resolve();
      };
      // After the listener that keeps `#busy`.
      this.pool.on('release', check).on('remove', check);
      check();
    });
    if (await endsWithin(limitMs, released)) return;
    log.warn({ connections: this.#busy.size }, 'statements-cut-off');
    for (const client of this.#busy) (client as PoolClient & { end: () => Promise<void> }).end().catch(() => undefined);
  }
}

function openPool(address: DatabaseAddress, size: number): Pool {
  const pool = new Pool({ ...pgOptions(address), ...POOL_OPTIONS, max: size });
  // Without a listener a lost idle connection would end the process.
  pool.on('error', (err) => log.warn({ err }, 'database-connection-lost'));
  return pool;
}
