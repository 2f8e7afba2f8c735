import { Controller } from '@nestjs/common';
import type { AttemptDetail, Grid, ResultView } from '@peerlab/contracts';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { AttemptDetailView } from './attempt-detail.js';
import { GridView } from './grid.js';

@Controller()
export class ResultController {
  readonly #grid: GridView;
  readonly #attempts: AttemptDetailView;

  constructor(grid: GridView, attempts: AttemptDetailView) {
    this.#grid = grid;
    this.#attempts = attempts;
  }

  @Serve('getGrid')
  getGrid(@Input() { query }: InputOf<'getGrid'>): Promise<Grid> {
    return this.#grid.read(query.run ?? null, query.cells === 'all');
  }

  @Serve('getAttempt')
  getAttempt(@Input() { params }: InputOf<'getAttempt'>): Promise<AttemptDetail> {
    return this.#attempts.read(params.attempt);
  }

  @Serve('getResult')
  getResult(@Input() { params, query }: InputOf<'getResult'>): Promise<ResultView> {
    return this.#attempts.result(params.attempt, query.suite, query.test);
  }
}
