import { Injectable } from '@nestjs/common';
import type { HeldReservation, WantedReservation } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { FleetService } from '../fleet/fleet.service.js';
import { columnsOf, nullable, pick, word } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { Machine } from '../schema/fleet.js';
import { ReservationService } from './reservation.service.js';
import { RESERVATION } from './reservation.view.js';

const WANTED = {
  ...pick(RESERVATION, 'id', 'machine', 'fence'),
  state: word<WantedReservation['state']>(),
  forged_fence: nullable(columnsOf(Machine).forged_fence),
};

/**
 * Keeps agents and reservations in step: each heartbeat has all that the agent knows of them, each answer all that is wanted.
 * Nothing depends on an earlier message, so an agent that lost its memory restores a machine once more.
 */
@Injectable()
export class RestoreService {
  readonly #sql: Sql;
  readonly #fleet: FleetService;
  readonly #reservations: ReservationService;

  constructor(sql: Sql, fleet: FleetService, reservations: ReservationService) {
    this.#sql = sql;
    this.#fleet = fleet;
    this.#reservations = reservations;
  }

  /**
   * Takes what the newest connection of an agent reports, ends what was restored, and answers with what is wanted of it.
   * @param held absent = the agent does not restore what people give back
   */
  async reconcile(
    agent: string,
    held: readonly HeldReservation[] | undefined,
  ): Promise<{ reservations?: WantedReservation[] }> {
    if (held === undefined) return {};
    for (const report of held) {
      if (report.state === 'restored' || report.state === 'not-restored') await this.#settle(agent, report);
    }
    return { reservations: await this.#wanted(agent) };
  }

  async #wanted(agent: string): Promise<WantedReservation[]> {
    const rows = await this.#sql.rows(
      WANTED,
      `select r.id, r.machine, r.fence, r.state, m.forged_fence from machine m join reservation r on r.id = m.reserved
       where m.agent = $1 and not m.forgotten and r.state in ('held', 'returning') order by r.fence`,
      [agent],
    );
    return rows.flatMap(({ id, machine, fence, state, forged_fence: forged }) =>
      fence === null
        ? []
        : [{ reservationId: id, machine, fence, state, ...(forged === null ? {} : { forgedFence: forged }) }],
    );
  }

  /** Ends a reservation once; a report of another agent, under another fence, or of one that is not to be restored ends nothing. */
  async #settle(agent: string, { reservationId: id, fence, state, detail }: HeldReservation): Promise<void> {
    const outcome = state === 'restored' ? 'restored' : 'not-restored';
    const ended = await this.#reservations.end(
      id,
      { agent, fence, outcome, detail },
      async (tx, { machine, holder }) => {
        if (outcome === 'not-restored') {
          const [first = ''] = (detail ?? '').split('\n', 1);
          await this.#fleet.quarantine(
            tx,
            machine,
            `after ${holder} had it reserved: ${first}; mend it, then activate it`,
          );
        } else {
          // A person could change anything: where the farm checks machines, it is checked.
          await this.#fleet.distrust(tx, machine, `${holder} had it reserved`);
        }
      },
    );
    if (ended) log.info({ agent, reservation: id, outcome }, 'reservation-ended');
  }
}
