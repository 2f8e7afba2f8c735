import { z } from 'zod';
import { ExpectedStart } from './expected-start.js';
import { Name } from './ids.js';
import { PathKind } from './paths.js';
import { ProblemItem } from './problem.js';

export const TemplateView = z.object({ name: Name, description: z.string(), yaml: z.string() });
export type TemplateView = z.infer<typeof TemplateView>;

/** Answer to a dry run of a submission. */
export const SubmissionReport = z.object({
  ok: z.boolean(),
  problems: z.array(ProblemItem),
  /** What would run; empty when not ok. */
  plan: z.array(
    z.object({
      build: Name,
      machine: Name,
      combination: z.string(),
      pathKind: PathKind,
      suites: z.array(Name),
      /** How often it is booted, in turns with the other builds. */
      boots: z.number().int().positive(),
      start: ExpectedStart,
    }),
  ),
  /** Machines that do not match, and why. */
  unmatched: z.array(z.object({ machine: Name, why: z.string() })),
});
export type SubmissionReport = z.infer<typeof SubmissionReport>;
