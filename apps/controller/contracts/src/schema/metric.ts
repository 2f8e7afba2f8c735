import { z } from 'zod';

/** Longest test id, in characters. */
export const TEST_ID_MAX = 200;
/** Longest reason of a result, in characters. */
export const REASON_MAX = 2000;
/** Parameters of one metric; the farm's suites give two. */
const PARAMS_MAX = 64;
const PARAM_TEXT_MAX = 1000;
/** Samples that a peer takes; an agent sends fewer. */
export const SAMPLES_MAX = 10_000;

/** The line `# metric: {…}` of a suite. Units stand in the value, e.g. `ns/page`. */
export const Metric = z.object({
  name: z.string().min(1).max(128),
  unit: z.string().min(1).max(32),
  better: z.enum(['lower', 'higher']),
  samples: z.array(z.number()).min(1).max(SAMPLES_MAX),
  params: z
    .record(z.string().max(PARAM_TEXT_MAX), z.union([z.string().max(PARAM_TEXT_MAX), z.number(), z.boolean()]))
    .refine((params) => Object.keys(params).length <= PARAMS_MAX, { error: `at most ${PARAMS_MAX} parameters` })
    .default({}),
});
export type Metric = z.infer<typeof Metric>;

const Variance = z.object({ squares: z.number(), freedom: z.number() });
/** A variance of logarithms, as a sum of squares and how many independent differences it was learnt from. */
export type Variance = z.infer<typeof Variance>;

/** How much one metric on one combination differs where nothing was changed: between boots of one build-id. */
export const MetricNoise = z.object({
  /** Between boots of one run, on one machine. */
  boots: Variance,
  /** Between the medians of runs, on one machine. */
  runs: Variance,
});
export type MetricNoise = z.infer<typeof MetricNoise>;
