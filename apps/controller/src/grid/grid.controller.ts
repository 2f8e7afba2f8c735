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
    const { run, cells, machines } = query;
    return this.#grid.read(run === undefined ? { isEachMachine: machines === 'each' } : { run }, cells === 'all');
  }
}
