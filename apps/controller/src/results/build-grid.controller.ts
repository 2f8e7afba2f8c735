import { Controller } from '@nestjs/common';
import type { BuildGrid, Flakiness, KernelResult } from '@peerlab/contracts';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { BuildGridView } from './build-grid.js';
import { FlakinessView } from './flakiness.js';

@Controller()
export class BuildGridController {
  readonly #grid: BuildGridView;
  readonly #flakiness: FlakinessView;

  constructor(grid: BuildGridView, flakiness: FlakinessView) {
    this.#grid = grid;
    this.#flakiness = flakiness;
  }

  @Serve('getBuildGrid')
  getBuildGrid(@Input() { query }: InputOf<'getBuildGrid'>): Promise<BuildGrid> {
    return this.#grid.read(query.combination);
  }

  @Serve('getKernelResults')
  getKernelResults(@Input() { params, query }: InputOf<'getKernelResults'>): Promise<KernelResult[]> {
    return this.#grid.results(params.key, query.suite, query.test);
  }

  @Serve('getFlakiness')
  getFlakiness(@Input() { query }: InputOf<'getFlakiness'>): Promise<Flakiness> {
    return this.#flakiness.read(query.combination ?? null);
  }
}
