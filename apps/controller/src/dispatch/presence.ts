import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { lockForTransaction } from '../platform/database/locks.js';
import { Sql } from '../platform/database/sql.js';

/** A controller that has not shown itself for this long is gone; it shows itself every two seconds. */
const ALIVE_SECONDS = 6;
/** How long the row of a controller that is gone is kept. */
const KEPT_SECONDS = 86_400;

/** Which controllers are alive, as far as the database can tell. */
@Injectable()
export class ControllerPresence {
  readonly id = randomUUID();
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /**
   * Shows that this controller is alive. Resolves to whether no controller was alive until now: agents could not
   * renew their leases then.
   */
  async show(): Promise<boolean> {
    return this.#sql.transaction(async (tx) => {
      await lockForTransaction(tx, 'presence');
      const isAnyAlive = await tx.exists(
        `select 1 from controller where seen_at > clock_timestamp() - make_interval(secs => $1) limit 1`,
        [ALIVE_SECONDS],
      );
      await tx.run(
        `insert into controller (id, started_at, seen_at) values ($1, clock_timestamp(), clock_timestamp())
         on conflict (id) do update set seen_at = excluded.seen_at`,
        [this.id],
      );
      await tx.run('delete from controller where seen_at < clock_timestamp() - make_interval(secs => $1)', [
        KEPT_SECONDS,
      ]);
      return !isAnyAlive;
    });
  }

  /** Removes the row of this controller, so that the next one does not take it for alive. */
  async leave(): Promise<void> {
    await this.#sql.run('delete from controller where id = $1', [this.id]);
  }
}
