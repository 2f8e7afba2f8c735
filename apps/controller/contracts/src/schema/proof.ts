import { z } from 'zod';
import { ExpectedPath } from './paths.js';

const TEXT_MAX = 1000;
/** Facts of one proof; the farm's suites give six. */
const DETAILS_MAX = 64;
const DETAIL_NAME_MAX = 100;

/**
 * The line `# proof: {…}` of a suite: which way the data took, counted by the devices' drivers. The farm compares
 * `taken` with `expected` and with the path that it predicts from the inventory; `detail` is for people.
 */
const ProofNow = z.object({
  test: z.string().max(TEXT_MAX),
  /** The way that the test asks for: the peer path, RAM, or `any`, which claims nothing. */
  expected: z.enum(['peer', 'ram', 'any']),
  /** The way that the counters show: `ram`, or a path kind such as BUS_ADDR. Another word is no path. */
  taken: z.string().max(TEXT_MAX),
  /** By name, such as `alias pages`: what was counted. */
  detail: z
    .record(z.string().max(DETAIL_NAME_MAX), z.union([z.number(), z.boolean(), z.string().max(TEXT_MAX)]))
    .refine((detail) => Object.keys(detail).length <= DETAILS_MAX, { error: `at most ${DETAILS_MAX} details` })
    .default({}),
  /**
   * What the controller expected of this very kernel, where the rule of its source was read; nobody else may say it. Absent:
   * the path of the combination.
   */
  predicted: ExpectedPath.optional(),
});

/** As suites of bundles printed it that were built before proofs had `taken` and `detail`. */
const ProofBefore = z
  .object({
    test: z.string().max(TEXT_MAX),
    expected: z.enum(['peer', 'ram', 'any']),
    aliasPages: z.number().int().nonnegative(),
    ramPages: z.number().int().nonnegative(),
    mapType: z.string().max(TEXT_MAX),
    aliasCalls: z.number().int().nonnegative().default(0),
    migratedBack: z.number().int().nonnegative().default(0),
    bytesCompared: z.number().int().nonnegative().default(0),
    oracle: z.boolean().default(false),
  })
  .transform(({ test, expected, aliasPages, ramPages, mapType, aliasCalls, migratedBack, bytesCompared, oracle }) => ({
    test,
    expected,
    taken: aliasPages === 0 ? 'ram' : mapType,
    detail: {
      'alias pages': aliasPages,
      'RAM pages': ramPages,
      'dma_alias calls': aliasCalls,
      'pages migrated back': migratedBack,
      'bytes compared': bytesCompared,
      'oracle reads': oracle,
    },
  }));

export const Proof = z.union([ProofNow, ProofBefore]);
export type Proof = z.infer<typeof ProofNow>;
