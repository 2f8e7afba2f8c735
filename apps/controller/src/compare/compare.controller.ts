import { Controller } from '@nestjs/common';
import type { Comparison, HardwareComparison, KernelMetrics } from '@peerlab/contracts';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { CompareView } from './compare.js';
import { HardwareView } from './hardware.js';
import { KernelMetricsView } from './kernel-metrics.js';

@Controller()
export class CompareController {
  readonly #compare: CompareView;
  readonly #metrics: KernelMetricsView;
  readonly #hardware: HardwareView;

  constructor(compare: CompareView, metrics: KernelMetricsView, hardware: HardwareView) {
    this.#compare = compare;
    this.#metrics = metrics;
    this.#hardware = hardware;
  }

  @Serve('getCompare')
  getCompare(@Input() { query }: InputOf<'getCompare'>): Promise<Comparison> {
    return this.#compare.read(query);
  }

  @Serve('getHardware')
  getHardware(@Input() { query }: InputOf<'getHardware'>): Promise<HardwareComparison> {
    return this.#hardware.read(query);
  }

  @Serve('getKernelMetrics')
  getKernelMetrics(@Input() { query }: InputOf<'getKernelMetrics'>): Promise<KernelMetrics> {
    return this.#metrics.read(query.combination, query.before ?? null);
  }
}
