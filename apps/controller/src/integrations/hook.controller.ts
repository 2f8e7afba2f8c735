import { Controller, Req } from '@nestjs/common';
import type { DeliveryPage, HookAnswer } from '@peerlab/contracts';
import type { FastifyRequest } from 'fastify';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { DeliveryLog } from './delivery-log.js';
import { HookService } from './hook.service.js';

/** The bodies of deliveries are read by the service, which parses them after it checked their signatures. */
@Controller()
export class HookController {
  readonly #hooks: HookService;
  readonly #deliveries: DeliveryLog;

  constructor(hooks: HookService, deliveries: DeliveryLog) {
    this.#hooks = hooks;
    this.#deliveries = deliveries;
  }

  @Serve('listDeliveries')
  listDeliveries(@Input() { query }: InputOf<'listDeliveries'>): Promise<DeliveryPage> {
    return this.#deliveries.list(query);
  }

  @Serve('deliverHook')
  deliverHook(@Input() { params }: InputOf<'deliverHook'>, @Req() request: FastifyRequest): Promise<HookAnswer> {
    return this.#hooks.deliver(params.hook, request.raw);
  }
}
