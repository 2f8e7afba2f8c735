import { Injectable } from '@nestjs/common';
import { RESERVATIONS_SHOWN, type Reservation } from '@peerlab/contracts';
import { columnsOf, type RowOf } from '../platform/database/row-shape.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';
import { ReservationRow } from '../schema/reservations.js';

export const RESERVATION = columnsOf(ReservationRow);
export type StoredReservation = RowOf<typeof RESERVATION>;

const COLUMNS = `r.id, r.machine, r.holder, r.reason, r.seconds, r.state, r.fence, r.requested_at, r.begun_at, r.until,
  r.returned_at, r.returned_by, r.ended_at, r.outcome, r.detail`;

/** Reads reservations. */
@Injectable()
export class ReservationView {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Those that have not ended first, then the newest others; of one machine, or of all. */
  async list(machine?: string): Promise<Reservation[]> {
    const rows = await this.#sql.rows(
      RESERVATION,
      `select ${COLUMNS} from reservation r where $1::text is null or r.machine = $1
       order by r.ended_at is not null, r.requested_at desc, r.id limit $2`,
      [machine ?? null, RESERVATIONS_SHOWN],
    );
    return rows.map(viewOf);
  }

  /** Throws a 404 problem. */
  async one(id: string): Promise<Reservation> {
    const stored = await readReservation(this.#sql, id);
    if (stored === null) throw notFound('reservation', id);
    return viewOf(stored);
  }
}

export const readReservation = (queries: Queries, id: string): Promise<StoredReservation | null> =>
  queries.one(RESERVATION, `select ${COLUMNS} from reservation r where r.id = $1`, [id]);

/** The one of a machine that has not ended. */
export const readOpen = (queries: Queries, machine: string): Promise<StoredReservation | null> =>
  queries.one(RESERVATION, `select ${COLUMNS} from reservation r where r.machine = $1 and r.ended_at is null`, [
    machine,
  ]);

function viewOf(row: StoredReservation): Reservation {
  const { id, machine, holder, reason, seconds, state, fence, outcome, detail } = row;
  return {
    id,
    machine,
    holder,
    reason,
    seconds,
    state,
    fence,
    outcome,
    detail,
    requestedAt: row.requested_at.toISOString(),
    begunAt: row.begun_at?.toISOString() ?? null,
    until: row.until?.toISOString() ?? null,
    returnedAt: row.returned_at?.toISOString() ?? null,
    returnedBy: row.returned_by,
    endedAt: row.ended_at?.toISOString() ?? null,
  };
}
