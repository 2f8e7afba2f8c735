import { Controller } from '@nestjs/common';
import type { BuildGrid, KernelResult } from '@peerlab/contracts';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { BuildGridView } from './build-grid.js';

@Controller()
export class BuildGridController {
  readonly #grid: BuildGridView;

  constructor(grid: BuildGridView) {
    this.#grid = grid;
  }

  @Serve('getBuildGrid')
  getBuildGrid(@Input() { query }: InputOf<'getBuildGrid'>): Promise<BuildGrid> {
    return this.#grid.read(query.combination, query.before ?? null);
  }

  @Serve('getKernelResults')
  getKernelResults(@Input() { params, query }: InputOf<'getKernelResults'>): Promise<KernelResult[]> {
    return this.#grid.results(params.key, query.suite, query.test);
  }
}
