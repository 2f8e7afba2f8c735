import { Controller } from '@nestjs/common';
import type { AnswerOf, RetentionPlan, RetentionView } from '@peerlab/contracts';
import { Caller } from '../platform/auth/auth.guard.js';
import type { Identity } from '../platform/auth/token.service.js';
import { ProblemError } from '../platform/http/problem.js';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { RetentionService } from './retention.service.js';

@Controller()
export class RetentionController {
  readonly #retention: RetentionService;

  constructor(retention: RetentionService) {
    this.#retention = retention;
  }

  @Serve('getRetention')
  getRetention(): Promise<RetentionView> {
    return this.#retention.view();
  }

  @Serve('planRetention')
  planRetention(): Promise<RetentionPlan> {
    return this.#retention.plan();
  }

  @Serve('runRetention')
  async runRetention(): Promise<RetentionPlan> {
    const done = await this.#retention.run();
    if (done !== null) return done;
    throw new ProblemError(409, 'retention-running', 'retention is already running', {
      detail: 'try again when the pass has finished, usually within a minute',
    });
  }

  @Serve('pinRun')
  pinRun(@Input() { params, body }: InputOf<'pinRun'>, @Caller() { name }: Identity): Promise<AnswerOf<'pinRun'>> {
    return this.#retention.setPin(params.run, body.pinned, name, body.reason ?? null);
  }
}
