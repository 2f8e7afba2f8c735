import { Controller } from '@nestjs/common';
import type { Comparison, KernelMetrics } from '@peerlab/contracts';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { CompareView } from './compare.js';
import { KernelMetricsView } from './kernel-metrics.js';

@Controller()
export class CompareController {
  readonly #compare: CompareView;
  readonly #metrics: KernelMetricsView;

  constructor(compare: CompareView, metrics: KernelMetricsView) {
    this.#compare = compare;
    this.#metrics = metrics;
  }

  @Serve('getCompare')
  getCompare(@Input() { query }: InputOf<'getCompare'>): Promise<Comparison> {
    return this.#compare.read(query);
  }

  @Serve('getKernelMetrics')
  getKernelMetrics(@Input() { query }: InputOf<'getKernelMetrics'>): Promise<KernelMetrics> {
    return this.#metrics.read(query.combination, query.before ?? null);
  }
}
