import { Controller } from '@nestjs/common';
import type { AttemptDetail, ResultEvidence } from '@peerlab/contracts';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { AttemptDetailView } from './attempt-detail.js';

@Controller()
export class AttemptController {
  readonly #attempts: AttemptDetailView;

  constructor(attempts: AttemptDetailView) {
    this.#attempts = attempts;
  }

  @Serve('getAttempt')
  getAttempt(@Input() { params }: InputOf<'getAttempt'>): Promise<AttemptDetail> {
    return this.#attempts.read(params.attempt);
  }

  @Serve('getResult')
  getResult(@Input() { params, query }: InputOf<'getResult'>): Promise<ResultEvidence> {
    return this.#attempts.result(params.attempt, query);
  }
}
