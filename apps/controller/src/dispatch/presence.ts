import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { lockForTransaction } from '../platform/database/locks.js';
import { Sql } from '../platform/database/sql.js';

/** A controller that has not shown itself for this long is gone; it shows itself every two seconds. */
const ALIVE_SECONDS = 6;
/** Rows of controllers that are gone for good are of no interest to anybody. */
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
   * Shows that this controller is alive. Resolves to whether the farm was without any controller until
   * now: then nobody could renew a lease, and the agents are not to blame.
   */
  async show(): Promise<boolean> {
    return this.#sql.transaction(async (tx) => {
      await lockForTransaction(tx, 'presence');
      const alive = await tx.one(
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
      return alive === null;
    });
  }

  /** Ends on purpose: the next controller need not wait to know that this one is gone. */
  async leave(): Promise<void> {
    await this.#sql.run('delete from controller where id = $1', [this.id]);
  }
}
