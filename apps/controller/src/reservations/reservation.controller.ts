import { Readable } from 'node:stream';
import { Controller, StreamableFile } from '@nestjs/common';
import type { Reservation, TerminalRecord } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { Caller } from '../platform/auth/auth.guard.js';
import type { Identity } from '../platform/auth/token.service.js';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { ReservationService } from './reservation.service.js';
import { ReservationView } from './reservation.view.js';
import { TerminalStore } from './terminal-store.js';

@Controller()
export class ReservationController {
  readonly #reservations: ReservationService;
  readonly #view: ReservationView;
  readonly #terminals: TerminalStore;

  constructor(reservations: ReservationService, view: ReservationView, terminals: TerminalStore) {
    this.#reservations = reservations;
    this.#view = view;
    this.#terminals = terminals;
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

  @Serve('listTerminals')
  listTerminals(@Input() { params }: InputOf<'listTerminals'>): Promise<TerminalRecord[]> {
    return this.#terminals.list(params.machine);
  }

  /** Bytes as a machine printed them: never shown as a page. */
  @Serve('getTerminalOutput')
  async getTerminalOutput(@Input() { params }: InputOf<'getTerminalOutput'>): Promise<StreamableFile> {
    return new StreamableFile(Readable.from(await this.#terminals.output(params.terminal)), {
      type: 'application/octet-stream',
      disposition: `attachment; filename="terminal-${params.terminal}.log"`,
    });
  }
}
