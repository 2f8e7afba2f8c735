import { Readable } from 'node:stream';
import { Controller, StreamableFile } from '@nestjs/common';
import type { LogPage, StageLines } from '@peerlab/contracts';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { ProblemError } from '../platform/http/problem.js';
import { LogService } from './log.service.js';

@Controller()
export class LogController {
  readonly #logs: LogService;

  constructor(logs: LogService) {
    this.#logs = logs;
  }

  @Serve('getLog')
  getLog(@Input() { params, query }: InputOf<'getLog'>): Promise<LogPage> {
    return this.#logs.page(params.attempt, query);
  }

  @Serve('getStageLines')
  getStageLines(@Input() { params, query }: InputOf<'getStageLines'>): Promise<StageLines> {
    return this.#logs.stageLines(params.attempt, params.stream, query.role);
  }

  /** As plain text; `nosniff` keeps browsers from interpreting a log as a page. */
  @Serve('getRawLog')
  async getRawLog(@Input() { params, query }: InputOf<'getRawLog'>): Promise<StreamableFile> {
    const { attempt, stream } = params;
    const { removedAt } = await this.#logs.page(attempt, { ...query, stream, from: 0, limit: 1 });
    if (removedAt !== null) {
      const detail = 'results and measurements are kept; pin a run to keep its logs';
      throw new ProblemError(410, 'log-removed', `retention removed this log at ${removedAt}`, { detail });
    }
    const participant = await this.#logs.participantOf(attempt, query.role);
    const name = [attempt, ...(query.role === undefined ? [] : [query.role]), stream].join('-');
    return new StreamableFile(Readable.from(this.#logs.text(participant, stream)), {
      type: 'text/plain; charset=utf-8',
      disposition: `inline; filename="${name}.log"`,
    });
  }
}
