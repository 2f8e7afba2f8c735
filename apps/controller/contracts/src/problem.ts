import { z } from 'zod';

/** One thing that is wrong, where, and what to do about it. */
export const ProblemItem = z.object({
  /** Dotted path of the field, e.g. `builds.0.series`; empty for the whole. */
  path: z.string(),
  message: z.string(),
  remedy: z.string().optional(),
  /** Position in the submitted text, both from 1. */
  line: z.number().int().optional(),
  column: z.number().int().optional(),
});
export type ProblemItem = z.infer<typeof ProblemItem>;

/** Body of every error answer (RFC 9457 with our `code`, `errors` and `correlationId`). */
export const Problem = z.object({
  title: z.string(),
  status: z.number().int(),
  code: z.string(),
  detail: z.string().optional(),
  errors: z.array(ProblemItem).default([]),
  correlationId: z.string(),
});
export type Problem = z.infer<typeof Problem>;

/** Issues of a failed parse as problem items; unknown keys are named one by one. */
export function problemItems(error: z.ZodError): ProblemItem[] {
  return error.issues.flatMap((issue): ProblemItem[] => {
    const path = issue.path.map(String).join('.');
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        path: path === '' ? key : `${path}.${key}`,
        message: `unknown field "${key}"`,
        remedy: 'remove it or correct its spelling',
      }));
    }
    return [{ path, message: issue.message }];
  });
}
