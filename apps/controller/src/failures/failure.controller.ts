import { Controller } from '@nestjs/common';
import type { AnswerOf, Baseline, FailureMemory, RunFailures } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { Caller } from '../platform/auth/auth.guard.js';
import type { Identity } from '../platform/auth/token.service.js';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { Baselines } from './baselines.js';
import { FailureMemoryView } from './failure-memory.js';
import { KnownFailures } from './known-failures.js';
import { RunFailuresView } from './run-failures.js';
import { subjectOf } from './same-failure.js';

@Controller()
export class FailureController {
  readonly #memory: FailureMemoryView;
  readonly #ofRuns: RunFailuresView;
  readonly #known: KnownFailures;
  readonly #baselines: Baselines;

  constructor(memory: FailureMemoryView, ofRuns: RunFailuresView, known: KnownFailures, baselines: Baselines) {
    this.#baselines = baselines;
    this.#memory = memory;
    this.#ofRuns = ofRuns;
    this.#known = known;
  }

  @Serve('getFailure')
  getFailure(@Input() { params, query }: InputOf<'getFailure'>): Promise<FailureMemory> {
    return this.#memory.of(params.attempt, subjectOf(query));
  }

  @Serve('listRunFailures')
  listRunFailures(@Input() { params, query }: InputOf<'listRunFailures'>): Promise<RunFailures> {
    return this.#ofRuns.of(params.run, query.attempt ?? null);
  }

  @Serve('markKnownFailure')
  async markKnownFailure(
    @Input() { params, body }: InputOf<'markKnownFailure'>,
    @Caller() { name }: Identity,
  ): Promise<FailureMemory> {
    const subject = subjectOf(body);
    await this.#known.mark(params.attempt, subject, body, name);
    log.info({ by: name, ...params, ...body }, 'failure-marked-known');
    return this.#memory.of(params.attempt, subject);
  }

  @Serve('acceptBaseline')
  async acceptBaseline(
    @Input() { params, body }: InputOf<'acceptBaseline'>,
    @Caller() { name }: Identity,
  ): Promise<Baseline> {
    const baseline = await this.#baselines.accept(params.attempt, body, name);
    log.info({ by: name, ...params, ...body, failures: baseline.failures }, 'baseline-accepted');
    return baseline;
  }

  @Serve('listBaselines')
  listBaselines(@Input() { query }: InputOf<'listBaselines'>): Promise<Baseline[]> {
    return this.#baselines.list(query.suite ?? null);
  }

  @Serve('endKnownFailure')
  async endKnownFailure(
    @Input() { params }: InputOf<'endKnownFailure'>,
    @Caller() { name }: Identity,
  ): Promise<AnswerOf<'endKnownFailure'>> {
    await this.#known.end(params.known, name);
    log.info({ by: name, ...params }, 'failure-mark-ended');
    return { ended: true };
  }
}
