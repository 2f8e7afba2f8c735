import type { z } from 'zod';
import { cutText } from '../schema/text.js';

/** Rounds of cutting: a list that was cut may hold strings that have to be cut too. */
const ROUNDS_MAX = 8;

/**
 * `value` as `schema` takes it, with every string and list that is longer than the schema's maximum cut to it, so
 * that a long text never costs the frame that carries it. Values that no cut mends throw ZodError.
 */
export function fitTo<T>(schema: z.ZodType<T>, value: unknown): T {
  let candidate = value;
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const parsed = schema.safeParse(candidate);
    if (parsed.success) return parsed.data;
    const long = parsed.error.issues
      .flatMap(ofFirstForm)
      .filter((issue) => issue.code === 'too_big' && (issue.origin === 'string' || issue.origin === 'array'));
    if (long.length === 0) break;
    // Frames are JSON: so is their copy.
    if (round === 0) candidate = JSON.parse(JSON.stringify(value));
    for (const issue of long) {
      if (issue.code === 'too_big') candidate = cutAt(candidate, issue.path, Number(issue.maximum));
    }
  }
  return schema.parse(candidate);
}

/** Issues of a union are those of its first form: the others are of older peers. */
function ofFirstForm(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  return (issue.errors[0] ?? []).map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }));
}

function cutAt(value: unknown, path: readonly PropertyKey[], maximum: number): unknown {
  const [key, ...rest] = path;
  if (key === undefined) {
    if (typeof value === 'string') return cutText(value, maximum);
    return Array.isArray(value) ? value.slice(0, maximum) : value;
  }
  if (typeof value !== 'object' || value === null) return value;
  const holder = value as Record<PropertyKey, unknown>;
  holder[key] = cutAt(holder[key], rest, maximum);
  return holder;
}
