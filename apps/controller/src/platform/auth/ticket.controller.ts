import { Controller } from '@nestjs/common';
import type { Ticket } from '@peerlab/contracts';
import { Input, Serve, type InputOf } from '../http/serve.js';
import { Caller } from './auth.guard.js';
import { TicketService } from './ticket.service.js';
import type { Identity } from './token.service.js';

@Controller()
export class TicketController {
  readonly #tickets: TicketService;

  constructor(tickets: TicketService) {
    this.#tickets = tickets;
  }

  @Serve('createTicket')
  createTicket(@Input() { body }: InputOf<'createTicket'>, @Caller() { id }: Identity): Promise<Ticket> {
    return this.#tickets.issue(id, body.path);
  }
}
