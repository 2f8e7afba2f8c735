import { z } from 'zod';
import { Combination } from './combination.js';
import { BootSpread, Outcome, WhyUnclear } from './compare.js';
import { HardwareKernel } from './hardware.js';
import { Name, Sha256, SuiteName } from './ids.js';
import { Role } from './participants.js';

/** Machines of one combination that are compared; those with the newest results. */
export const TWIN_MACHINES_MAX = 12;
/** Newest attempts of a kernel on each of them. */
export const TWIN_ATTEMPTS_MAX = 20;
/** Of the newest so many kernels, those are offered that were tested on machines with the same hardware. */
export const TWIN_KERNELS_READ = 500;
export const TWIN_TESTS_MAX = 500;
export const TWIN_METRICS_MAX = 500;

export const TwinsQuery = z.object({
  /** A build of the kernel; absent: the newest kernel that was tested on two machines with the same hardware. */
  build: z.uuid().optional(),
  /** Hash of the combination; absent: the first of that kernel, by label. */
  combination: Sha256.optional(),
});

/** A metric on each machine, and which of them stands out (rules/outliers.ts). */
export const TwinMetricView = z.object({
  suite: SuiteName,
  name: z.string(),
  /** Which role of a job with several measured it; absent in a job with one. */
  role: Role.optional(),
  unit: z.string(),
  better: z.enum(['lower', 'higher']),
  /** By machine. */
  spreads: z.array(BootSpread.nullable()),
  /** Index of the machine that stands out; of two machines that differ the second. */
  outlier: z.number().int().nonnegative().nullable(),
  /** That machine ÷ the others, of the medians of the boots, with its 95 % interval. */
  ratio: z.object({ value: z.number(), low: z.number().nullable(), high: z.number().nullable() }).nullable(),
  says: z.enum(['better', 'worse', 'unclear']),
  why: WhyUnclear.nullable(),
  p: z.number().nullable(),
  least: z.number(),
  moreBoots: z.number().int().nonnegative(),
});
export type TwinMetricView = z.infer<typeof TwinMetricView>;

/** One kernel on machines with the same hardware. */
export const Twins = z.object({
  /** Kernels to choose from, the newest first. */
  kernels: z.array(HardwareKernel),
  /** Combinations on which the kernel was tested by two machines or more, by label. */
  combinations: z.array(Combination),
  /** Null where there are no such machines. */
  twins: z
    .object({
      kernel: HardwareKernel,
      combination: Combination,
      machines: z.array(
        z.object({
          name: Name,
          attempts: z.number().int().positive(),
          /** There are older attempts than TWIN_ATTEMPTS_MAX. */
          isCut: z.boolean(),
        }),
      ),
      machinesTotal: z.number().int().positive(),
      /** Tests on which the machines do not agree, in the order of the suites; by machine what it says. */
      tests: z.array(z.object({ suite: SuiteName, test: z.string(), outcomes: z.array(Outcome.nullable()) })),
      testsTotal: z.number().int().nonnegative(),
      /** Tests that any of them ran. */
      testsCompared: z.number().int().nonnegative(),
      /** Those first in which a machine stands out, else by suite and name. */
      metrics: z.array(TwinMetricView),
      metricsTotal: z.number().int().nonnegative(),
    })
    .nullable(),
});
export type Twins = z.infer<typeof Twins>;
