import { Controller } from '@nestjs/common';
import type { Grid } from '@peerlab/contracts';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { GridView } from './grid.js';

@Controller()
export class GridController {
  readonly #grid: GridView;

  constructor(grid: GridView) {
    this.#grid = grid;
  }

  @Serve('getGrid')
  getGrid(@Input() { query }: InputOf<'getGrid'>): Promise<Grid> {
    return this.#grid.read(query.run ?? null, query.cells === 'all');
  }
}
