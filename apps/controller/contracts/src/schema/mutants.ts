import { z } from 'zod';
import type { BundleManifest } from './bundle.js';
import { Name } from './ids.js';
import { Role } from './participants.js';

/** In a bundle whose kernel carries mutants of its series: the list of them. */
export const MUTANTS_FILE = 'mutants.json';
/** What an attempt found out about them is a file of the farm's own suite with this name. */
export const MUTANT_RESULTS_FILE = 'mutant-results.json';
/** Largest of both files, in bytes. */
export const MUTANTS_MAX_BYTES = 2 * 1024 * 1024;
/** Mutants that one kernel may carry. */
export const MUTANTS_MAX = 2000;

/** Whether a kernel carries mutants, of which the running kernel chooses one. */
export const carriesMutants = ({ files }: Pick<BundleManifest, 'files'>): boolean => files[MUTANTS_FILE] !== undefined;

/** What a run file says: how many mutants are tried, and how long by each machine. */
export const MutantBudget = z.union(
  [
    z.literal('auto'),
    z.strictObject({
      count: z.number().int().min(1).max(MUTANTS_MAX).optional().describe('mutants to try; 200 unless given'),
      minutes: z.number().int().min(1).max(720).optional().describe('for each machine to try them; 60 unless given'),
    }),
  ],
  { error: 'expected auto, or a budget such as {count: 200, minutes: 60}' },
);
export type MutantBudget = z.infer<typeof MutantBudget>;

/** A budget with what it does not say. */
export function mutantBudget(given: MutantBudget): { count: number; minutes: number } {
  const { count = 200, minutes = 60 } = given === 'auto' ? {} : given;
  return { count, minutes };
}

const MutantId = z.string().regex(/^[0-9a-f]{8}$/);

/** One change of one place of the lines that a series adds. */
export const Mutant = z.object({
  /** Chooses it on the running kernel; from 1. */
  number: z.number().int().positive(),
  /** The same when lines move. */
  id: MutantId,
  path: z.string().min(1).max(400),
  line: z.number().int().positive(),
  /** Such as negate, bound, call. */
  kind: z.string().max(40),
  function: z.string().max(200),
  what: z.string().max(400),
  /** refused = the compiler does not take it; not-built = the configuration leaves its file out. */
  state: z.enum(['built', 'refused', 'not-built']),
});
export type Mutant = z.infer<typeof Mutant>;

/** MUTANTS_FILE. `total`: how many there would be without the budget. */
export const MutantList = z.object({
  schema: z.literal(1),
  total: z.number().int().nonnegative(),
  mutants: z.array(Mutant).max(MUTANTS_MAX),
});
export type MutantList = z.infer<typeof MutantList>;

/** What became of a mutant: killed = a test noticed it; alive = tests came to it, and passed. */
export const MutantVerdict = z.enum(['killed', 'alive', 'not-reached']);
export type MutantVerdict = z.infer<typeof MutantVerdict>;

const TestName = z.string().max(400);
const How = z.string().max(400);

/** MUTANT_RESULTS_FILE. What was not tried within the budget is not here. */
export const MutantResults = z.strictObject({
  schema: z.literal(1),
  /** Everything was tried. */
  isComplete: z.boolean(),
  results: z
    .array(
      z.strictObject({
        id: MutantId,
        verdict: MutantVerdict,
        /** The test that noticed it, as SUITE:TEST, and by what. */
        test: TestName.nullable(),
        how: How.nullable(),
        /** Tests that it met. */
        tests: z.number().int().nonnegative(),
      }),
    )
    .max(MUTANTS_MAX),
});
export type MutantResults = z.infer<typeof MutantResults>;

/** What became of a mutant over all attempts of a build. */
export const MUTANT_STATES = ['killed', 'alive', 'not-reached', 'not-run', 'not-built', 'refused'] as const;
export type MutantState = (typeof MUTANT_STATES)[number];

export const TriedMutant = Mutant.omit({ state: true }).extend({
  state: z.enum(MUTANT_STATES),
  test: TestName.nullable(),
  how: How.nullable(),
  tests: z.number().int(),
  /** Of the machine that killed it. */
  machine: Name.nullable(),
});
export type TriedMutant = z.infer<typeof TriedMutant>;

/** Which mutants of its series the tests of a build notice. */
export const BuildMutants = z.object({
  build: z.uuid(),
  name: Name,
  /** Killed of those that were tried, in whole percent; null before any was. */
  score: z.number().int().nullable(),
  counts: z.record(z.enum(MUTANT_STATES), z.number().int()),
  /** How many there would be without the budget. */
  total: z.number().int(),
  /** Those that are alive first, then by path and line. */
  mutants: z.array(TriedMutant),
  attempts: z.array(
    z.object({
      attemptId: z.uuid(),
      role: Role,
      machine: Name.nullable(),
      tried: z.number().int(),
      killed: z.number().int(),
      isComplete: z.boolean(),
    }),
  ),
  /** Attempts of the build that count for nothing, and why. */
  without: z.array(z.object({ attemptId: z.uuid(), role: Role, machine: Name.nullable(), why: z.string() })),
  isCut: z.boolean(),
});
export type BuildMutants = z.infer<typeof BuildMutants>;
