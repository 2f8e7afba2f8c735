import { Controller, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Serve } from '../http/serve.js';
import { Metrics } from './metrics.js';

@Controller()
export class MetricsController {
  readonly #metrics: Metrics;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  @Serve('metrics')
  async metrics(@Res() reply: FastifyReply): Promise<void> {
    const text = await this.#metrics.text();
    await reply.header('cache-control', 'no-store').type(this.#metrics.contentType).send(text);
  }
}
