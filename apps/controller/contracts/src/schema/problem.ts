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

/** Problems that one answer names: who corrects fifty asks again. */
export const PROBLEMS_MAX = 50;
/** Longest foreign name that a message repeats, in characters. */
const ECHO_MAX = 120;

/** A foreign text short enough to be repeated in a message. */
export const echoed = (text: string): string => (text.length > ECHO_MAX ? `${text.slice(0, ECHO_MAX)}…` : text);

/** At most PROBLEMS_MAX problems, and one that says how many more there are; `left` = those left out already. */
export function limitProblems(items: readonly ProblemItem[], left = 0): ProblemItem[] {
  const more = left + Math.max(0, items.length - PROBLEMS_MAX);
  const shown = items.slice(0, PROBLEMS_MAX);
  return more === 0
    ? shown
    : [...shown, { path: '', message: `and ${more} more ${more === 1 ? 'problem' : 'problems'}` }];
}

/** The first few texts of a list, and how many more there are. */
export function fewOf(texts: readonly string[], most = 10): string {
  const more = texts.length - most;
  return more <= 0 ? texts.join(', ') : `${texts.slice(0, most).join(', ')} and ${more} more`;
}

/**
 * Issues of a failed parse as problem items, at most PROBLEMS_MAX and one that counts the others; unknown keys
 * are named one by one.
 */
export function problemItems(error: z.ZodError): ProblemItem[] {
  const items: ProblemItem[] = [];
  let left = 0;
  for (const issue of error.issues.flatMap(closerIssues)) {
    const path = issue.path.map((step) => echoed(String(step))).join('.');
    const keys = issue.code === 'unrecognized_keys' ? issue.keys : [null];
    const shown = keys.slice(0, PROBLEMS_MAX - items.length);
    left += keys.length - shown.length;
    for (const key of shown) {
      if (key === null) items.push({ path, message: issue.message });
      else items.push(unknownField(path, echoed(key)));
    }
  }
  return limitProblems(items, left);
}

/** The issues of the one alternative of a union that was meant, with whole paths; otherwise the issue itself. */
function closerIssues(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const fitting = issue.errors.filter(
    (issues) => !issues.some(({ code, path }) => code === 'invalid_type' && path.length === 0),
  );
  const [meant] = fitting;
  const isDetailed = meant?.some(
    ({ code, path }) => path.length > 0 || code === 'unrecognized_keys' || code === 'custom',
  );
  if (fitting.length !== 1 || meant === undefined || isDetailed !== true) return [issue];
  return meant.flatMap((inner) => closerIssues({ ...inner, path: [...issue.path, ...inner.path] }));
}

const unknownField = (path: string, key: string): ProblemItem => ({
  path: path === '' ? key : `${path}.${key}`,
  message: `unknown field "${key}"`,
  remedy: 'remove it or correct its spelling',
});
