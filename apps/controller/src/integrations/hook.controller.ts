import { Controller, Req, type RawBodyRequest } from '@nestjs/common';
import type { DeliveryPage, HookAnswer } from '@peerlab/contracts';
import type { FastifyRequest } from 'fastify';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { DeliveryLog } from './delivery-log.js';
import { HookService, type SignedRequest } from './hook.service.js';

/** The bodies are parsed by the service, after their signatures were checked. */
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

  @Serve('hookGeneric')
  hookGeneric(@Req() request: RawBodyRequest<FastifyRequest>): Promise<HookAnswer> {
    return this.#hooks.generic(signedRequest(request));
  }

  @Serve('hookGithub')
  hookGithub(
    @Input() { query }: InputOf<'hookGithub'>,
    @Req() request: RawBodyRequest<FastifyRequest>,
  ): Promise<HookAnswer> {
    return this.#hooks.github(signedRequest(request), query.template);
  }
}

function signedRequest({ headers, rawBody, body }: RawBodyRequest<FastifyRequest>): SignedRequest {
  return { headers, rawBody: rawBody ?? Buffer.alloc(0), body };
}
