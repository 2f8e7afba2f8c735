import { createHash, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { TICKET_SECONDS, type Ticket } from '@peerlab/contracts';
import { bool, uuid } from '../database/row-shape.js';
import { Sql } from '../database/sql.js';

const digest = (ticket: string): string => createHash('sha256').update(ticket).digest('hex');
const TICKET = /^[\w-]{32}$/;

/** Tickets of downloads: for one path, one request and some seconds. They are in the database, as any controller may be asked. */
@Injectable()
export class TicketService {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Makes a ticket for a path, in the name of a token. The text exists only in the answer. */
  async issue(token: string, path: string): Promise<Ticket> {
    const ticket = randomBytes(24).toString('base64url');
    await this.#sql.run('delete from download_ticket where expires_at < clock_timestamp()');
    await this.#sql.run(
      `insert into download_ticket (hash, path, token, expires_at)
       values ($1, $2, $3, clock_timestamp() + make_interval(secs => $4))`,
      [digest(ticket), path, token, TICKET_SECONDS],
    );
    return { ticket };
  }

  /**
   * The id of the token that a ticket stands for, or null. It is used up, also by a request for another path: a ticket is good
   * for one try.
   */
  async redeem(ticket: string, path: string): Promise<string | null> {
    if (!TICKET.test(ticket)) return null;
    const row = await this.#sql.one(
      { token: uuid, is_good: bool },
      `delete from download_ticket where hash = $1
       returning token, path = $2 and expires_at >= clock_timestamp() as is_good`,
      [digest(ticket), path],
    );
    return row?.is_good === true ? row.token : null;
  }
}
