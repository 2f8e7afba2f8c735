import { Controller } from '@nestjs/common';
import type { AttemptDetail, Grid } from '@peerlab/contracts';
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
    return this.#grid.read(query.run ?? null);
  }

  @Serve('getAttempt')
  getAttempt(@Input() { params }: InputOf<'getAttempt'>): Promise<AttemptDetail> {
    return this.#attempts.read(params.attempt);
  }
}
