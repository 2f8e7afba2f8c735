import { z } from 'zod';
import { Combination } from './combination.js';
import { ChangeClass, ComparedMetric, ComparedRow } from './compare.js';
import { TestedKernel } from './history.js';
import { Name, Sha256 } from './ids.js';

/** Kernels that a comparison of hardware offers: the newest that were tested on two combinations. */
export const HARDWARE_KERNELS_MAX = 100;

export const HardwareQuery = z.object({
  /** A build of the kernel; absent: the newest kernel that was tested on two combinations. */
  build: z.uuid().optional(),
  /** Hash of a combination of each side; absent: the first of the others, by label. */
  a: Sha256.optional(),
  b: Sha256.optional(),
  rows: z.enum(['changed', 'all']).default('changed'),
});

/** A kernel under the name of a build of it. */
export const HardwareKernel = TestedKernel;
export type HardwareKernel = z.infer<typeof HardwareKernel>;

export const HardwareSide = z.object({
  combination: Combination,
  /** That ran the kernel. */
  machines: z.array(Name),
  /** Attempts that are compared: the newest ones; `isCut`: there are older ones. */
  attempts: z.number().int().nonnegative(),
  isCut: z.boolean(),
});
export type HardwareSide = z.infer<typeof HardwareSide>;

/** One kernel on two combinations. Rows and metrics have the index 0 for `combination`, which says nothing here. */
export const HardwareComparison = z.object({
  kernels: z.array(HardwareKernel),
  /** There are more kernels than `kernels` has. */
  isCut: z.boolean(),
  /** Those that the kernel was tested on, by label. */
  combinations: z.array(Combination),
  /** Null when no kernel was tested on two combinations. */
  comparison: z
    .object({
      kernel: HardwareKernel,
      a: HardwareSide,
      b: HardwareSide,
      counts: z.record(ChangeClass, z.number().int().nonnegative()),
      rows: z.array(ComparedRow),
      rowsTotal: z.number().int().nonnegative(),
      metrics: z.array(ComparedMetric),
      metricsTotal: z.number().int().nonnegative(),
    })
    .nullable(),
});
export type HardwareComparison = z.infer<typeof HardwareComparison>;
