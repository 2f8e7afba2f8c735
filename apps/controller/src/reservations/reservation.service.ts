import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { reservedInWords, RESERVATIONS_KEPT, type ReservationRequest } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { FleetService } from '../fleet/fleet.service.js';
import { announce } from '../platform/database/bus.js';
import { bool, text, uuid } from '../platform/database/row-shape.js';
import { storable } from '../platform/database/storable.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { notFound, ProblemError } from '../platform/http/problem.js';
import { readOpen, readReservation, type StoredReservation } from './reservation.view.js';

/** SQL condition: nothing is on the machine of the reservation `r`, not even an attempt that lost its lease. */
const IS_FREE = `not exists (select 1 from lease l where l.machine = r.machine and l.released_at is null)
  and exists (select 1 from machine m where m.name = r.machine and m.held_participant is null)`;
/** Reservations that one pass moves on. */
const PASS_MAX = 100;

/**
 * Moves reservations through their states. Every step locks the machine first, as dispatch does to claim it, and sets
 * `machine.reserved` in the same transaction: whoever has the lock next sees it in the row that it locked.
 */
@Injectable()
export class ReservationService {
  readonly #sql: Sql;
  readonly #fleet: FleetService;

  constructor(sql: Sql, fleet: FleetService) {
    this.#sql = sql;
    this.#fleet = fleet;
  }

  /**
   * Reserves a machine, at once where nothing runs on it; its holder counts its time from now.
   * Throws a 404 problem, or 409 while another person has it, while it is restored, and where its agent is too old.
   * @returns the id of the reservation
   */
  async reserve(machine: string, by: string, { seconds, reason }: ReservationRequest): Promise<string> {
    return this.#sql.transaction(async (tx) => {
      if (!(await lockMachine(tx, machine))) throw notFound('machine', machine);
      const open = await readOpen(tx, machine);
      if (open !== null && (open.holder !== by || open.state === 'returning')) throw isReserved(open);
      const id = open?.id ?? (await this.#open(tx, machine, by, { seconds, reason }));
      if (open !== null) {
        await tx.run(
          `update reservation set seconds = $2::int, reason = $3,
             until = case when state = 'held' then clock_timestamp() + make_interval(secs => $2::int) end where id = $1`,
          [id, seconds, storable(reason)],
        );
      }
      await this.#fleet.noteEvent(tx, machine, { event: open === null ? 'reserved' : 'extended', by, reason });
      await this.#begin(tx, id);
      await changed(tx);
      return id;
    });
  }

  /**
   * Gives a machine back: its agent restores it. One that did not begin ends at once; one that is given back stays so.
   * Throws a 404 problem, or 422 where somebody else than the holder gives no reason.
   */
  async giveBack(id: string, by: string, reason: string | undefined): Promise<void> {
    const machine = (await readReservation(this.#sql, id))?.machine;
    if (machine === undefined) throw notFound('reservation', id);
    await this.#sql.transaction(async (tx) => {
      await lockMachine(tx, machine);
      const stored = await readReservation(tx, id);
      if (stored === null) throw notFound('reservation', id);
      if (stored.state === 'returning' || stored.state === 'ended') return;
      if (stored.holder !== by && reason === undefined) {
        throw new ProblemError(422, 'reason-needed', `${machine} is ${reservedInWords(wordsOf(stored))}`, {
          detail: 'to give back what somebody else has reserved, say why',
        });
      }
      await this.#leave(tx, stored, by, reason ?? stored.reason);
    });
  }

  /** Begins what waited for its machine, and gives back what has had its time. Any number of controllers may do so at once. */
  async pass(): Promise<void> {
    const due = await this.#sql.rows(
      { id: uuid, machine: text },
      `select r.id, r.machine from reservation r where r.ended_at is null
         and (r.state = 'held' and r.until <= clock_timestamp() or r.state = 'waiting' and ${IS_FREE})
       order by r.requested_at, r.id limit ${PASS_MAX}`,
    );
    for (const { id, machine } of due) {
      try {
        await this.#sql.transaction((tx) => this.#moveOn(tx, id, machine));
      } catch (err) {
        // It holds up no other machine.
        log.error({ err, machine, reservation: id }, 'reservation-not-moved');
      }
    }
  }

  /**
   * Ends one that is restored, by the report of its machine's agent, and draws the consequences in the same transaction;
   * false, and nothing is done, when the report is not of that reservation as it stands.
   */
  async end(
    id: string,
    report: { agent: string; fence: number; outcome: 'restored' | 'not-restored'; detail: string | null },
    draw: (tx: Queries, stored: StoredReservation) => Promise<void>,
  ): Promise<boolean> {
    const machine = (await readReservation(this.#sql, id))?.machine;
    if (machine === undefined) return false;
    return this.#sql.transaction(async (tx) => {
      const isOwn = 'select 1 from machine where name = $1 and agent = $2 for no key update';
      if (!(await tx.exists(isOwn, [machine, report.agent]))) return false;
      const stored = await readReservation(tx, id);
      if (stored?.state !== 'returning' || stored.fence !== report.fence) return false;
      await this.#end(tx, stored, report.outcome, report.detail);
      await draw(tx, stored);
      await changed(tx);
      return true;
    });
  }

  async #moveOn(tx: Queries, id: string, machine: string): Promise<void> {
    await lockMachine(tx, machine);
    const stored = await readReservation(tx, id);
    if (stored?.state === 'waiting') {
      if (await this.#begin(tx, id)) await changed(tx);
      return;
    }
    const isOver = 'select 1 from reservation where id = $1 and until <= clock_timestamp()';
    // Its holder may have extended it meanwhile.
    if (stored?.state !== 'held' || !(await tx.exists(isOver, [id]))) return;
    await this.#leave(tx, stored, null, 'its time was over');
  }

  async #open(tx: Queries, machine: string, by: string, { seconds, reason }: ReservationRequest): Promise<string> {
    const agent = await tx.one(
      { name: text, restores: bool },
      'select a.name, a.restores from agent a join machine m on m.agent = a.name where m.name = $1',
      [machine],
    );
    if (agent?.restores !== true) {
      throw new ProblemError(
        409,
        'agent-too-old',
        `the agent ${agent?.name ?? '?'} of ${machine} cannot restore it afterwards`,
        {
          detail: 'update the agent',
        },
      );
    }
    const id = randomUUID();
    await tx.run(
      `insert into reservation (id, machine, holder, reason, seconds, state) values ($1, $2, $3, $4, $5, 'waiting')`,
      [id, machine, by, storable(reason), seconds],
    );
    await this.#fleet.setReserved(tx, machine, id);
    await tx.run(
      `delete from reservation where id in (
         select id from reservation where machine = $1 and ended_at is not null order by requested_at desc offset $2)`,
      [machine, RESERVATIONS_KEPT],
    );
    return id;
  }

  /** Begins one that waits, if its machine is free: that is seen only by a statement after the machine was locked. */
  async #begin(tx: Queries, id: string): Promise<boolean> {
    const begun = await tx.run(
      `update reservation r set state = 'held', fence = (
           -- A fence that the machine made up must never become a real one there.
           select case when drawn.n = m.forged_fence then nextval('lease_fence') else drawn.n end
           from machine m, (select nextval('lease_fence') as n) drawn where m.name = r.machine), begun_at = clock_timestamp(),
         until = clock_timestamp() + make_interval(secs => r.seconds)
       where r.id = $1 and r.state = 'waiting' and ${IS_FREE}`,
      [id],
    );
    return begun > 0;
  }

  async #leave(tx: Queries, stored: StoredReservation, by: string | null, reason: string): Promise<void> {
    const { id, machine } = stored;
    await this.#fleet.noteEvent(tx, machine, { event: 'returned', by, reason });
    await tx.run('update reservation set returned_at = clock_timestamp(), returned_by = $2 where id = $1', [id, by]);
    if (stored.state === 'waiting') await this.#end(tx, stored, 'withdrawn', null);
    else await tx.run(`update reservation set state = 'returning' where id = $1`, [id]);
    log.info({ machine, reservation: id, by }, 'machine-returned');
    await changed(tx);
  }

  /** The machine may be given to jobs again. */
  async #end(
    tx: Queries,
    { id, machine }: StoredReservation,
    outcome: 'withdrawn' | 'restored' | 'not-restored',
    detail: string | null,
  ): Promise<void> {
    await tx.run(
      `update reservation set state = 'ended', ended_at = clock_timestamp(), outcome = $2, detail = $3 where id = $1`,
      [id, outcome, detail === null ? null : storable(detail)],
    );
    await this.#fleet.setReserved(tx, machine, null);
  }
}

/** Locks a machine as a claim does; false for one that is not known. */
const lockMachine = (tx: Queries, machine: string): Promise<boolean> =>
  tx.exists('select 1 from machine where name = $1 and not forgotten for no key update', [machine]);

const changed = (tx: Queries): Promise<void> =>
  announce(tx, { type: 'changed', topics: ['machines', 'runs'] }, { type: 'dispatch' });

const wordsOf = ({ holder, reason, state, until }: StoredReservation) => ({
  holder,
  reason,
  state,
  until: until?.toISOString() ?? null,
});

const isReserved = (open: StoredReservation): ProblemError =>
  new ProblemError(409, 'machine-reserved', `${open.machine} is ${reservedInWords(wordsOf(open))}`, {
    detail: 'wait until it is given back, or ask its holder',
  });
