import { z } from 'zod';
import { Sha256 } from './ids.js';
import { KernelCursor } from './kernel-pages.js';
import { GridMetricRow } from './grid.js';

/** Of one combination only: figures of different hardware do not fold into one. */
export const KernelMetricsQuery = z.object({
  combination: Sha256,
  /** As the page of the grid by kernel build has it. */
  before: KernelCursor.optional(),
});

/**
 * What the tests measured on the kernels of one page of the grid by kernel build. The figures of a suite on a
 * kernel are those of the attempt that its verdicts are taken of, none where that one measured nothing.
 */
export const KernelMetrics = z.object({
  /** Content keys; `values` of the metrics are by their place here. */
  kernels: z.array(Sha256),
  metrics: z.array(GridMetricRow),
});
export type KernelMetrics = z.infer<typeof KernelMetrics>;
