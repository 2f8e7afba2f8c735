import { Controller } from '@nestjs/common';
import type { Comparison, HardwareComparison, KernelMetrics, Twins } from '@peerlab/contracts';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { CompareView } from './compare.js';
import { HardwareView } from './hardware.js';
import { KernelMetricsView } from './kernel-metrics.js';
import { TwinsView } from './twins.js';

@Controller()
export class CompareController {
  readonly #compare: CompareView;
  readonly #metrics: KernelMetricsView;
  readonly #hardware: HardwareView;
  readonly #twins: TwinsView;

  constructor(compare: CompareView, metrics: KernelMetricsView, hardware: HardwareView, twins: TwinsView) {
    this.#compare = compare;
    this.#metrics = metrics;
    this.#hardware = hardware;
    this.#twins = twins;
  }

  @Serve('getCompare')
  getCompare(@Input() { query }: InputOf<'getCompare'>): Promise<Comparison> {
    return this.#compare.read(query);
  }

  @Serve('getHardware')
  getHardware(@Input() { query }: InputOf<'getHardware'>): Promise<HardwareComparison> {
    return this.#hardware.read(query);
  }

  @Serve('getTwins')
  getTwins(@Input() { query }: InputOf<'getTwins'>): Promise<Twins> {
    return this.#twins.read(query);
  }

  @Serve('getKernelMetrics')
  getKernelMetrics(@Input() { query }: InputOf<'getKernelMetrics'>): Promise<KernelMetrics> {
    return this.#metrics.read(query.combination, query.before ?? null);
  }
}
