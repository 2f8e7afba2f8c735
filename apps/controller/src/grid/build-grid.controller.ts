import { Controller } from '@nestjs/common';
import type { BuildGrid, Flakiness, KernelMetrics, KernelResult } from '@peerlab/contracts';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { BuildGridView } from './build-grid.js';
import { FlakinessView } from '../trends/flakiness.js';
import { KernelMetricsView } from '../compare/kernel-metrics.js';

@Controller()
export class BuildGridController {
  readonly #grid: BuildGridView;
  readonly #metrics: KernelMetricsView;
  readonly #flakiness: FlakinessView;

  constructor(grid: BuildGridView, metrics: KernelMetricsView, flakiness: FlakinessView) {
    this.#grid = grid;
    this.#metrics = metrics;
    this.#flakiness = flakiness;
  }

  @Serve('getBuildGrid')
  getBuildGrid(@Input() { query }: InputOf<'getBuildGrid'>): Promise<BuildGrid> {
    return this.#grid.read(query.combination, query.before ?? null);
  }

  @Serve('getKernelResults')
  getKernelResults(@Input() { params, query }: InputOf<'getKernelResults'>): Promise<KernelResult[]> {
    return this.#grid.results(params.key, query.suite, query.test);
  }

  @Serve('getKernelMetrics')
  getKernelMetrics(@Input() { query }: InputOf<'getKernelMetrics'>): Promise<KernelMetrics> {
    return this.#metrics.read(query.combination, query.before ?? null);
  }

  @Serve('getFlakiness')
  getFlakiness(@Input() { query }: InputOf<'getFlakiness'>): Promise<Flakiness> {
    return this.#flakiness.read(query.combination ?? null);
  }
}
