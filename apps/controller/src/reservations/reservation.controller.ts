import { Controller } from '@nestjs/common';
import type { Reservation } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { Caller } from '../platform/auth/auth.guard.js';
import type { Identity } from '../platform/auth/token.service.js';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { ReservationService } from './reservation.service.js';
import { ReservationView } from './reservation.view.js';

@Controller()
export class ReservationController {
  readonly #reservations: ReservationService;
  readonly #view: ReservationView;

  constructor(reservations: ReservationService, view: ReservationView) {
    this.#reservations = reservations;
    this.#view = view;
  }

  @Serve('listReservations')
  listReservations(@Input() { query }: InputOf<'listReservations'>): Promise<Reservation[]> {
    return this.#view.list(query.machine);
  }

  @Serve('reserveMachine')
  async reserveMachine(
    @Input() { params: { machine }, body }: InputOf<'reserveMachine'>,
    @Caller() { name }: Identity,
  ): Promise<Reservation> {
    const id = await this.#reservations.reserve(machine, name, body);
    log.info({ by: name, machine, reservation: id, ...body }, 'machine-reserved');
    return this.#view.one(id);
  }

  @Serve('returnMachine')
  async returnMachine(
    @Input() { params: { reservation }, body }: InputOf<'returnMachine'>,
    @Caller() { name }: Identity,
  ): Promise<Reservation> {
    await this.#reservations.giveBack(reservation, name, body.reason);
    return this.#view.one(reservation);
  }
}
