import { z } from 'zod';

/** The time has no `~`; an id may have some. */
const CURSOR = /^([^~]+)~(.+)$/;

/**
 * Where a page of a list that is sorted by time ends: `time~id`, the time to the microsecond, so that nothing is
 * left out and nothing comes twice. Made by the server, read back by it. Every list of the API is paged this way.
 * @param id schema of the ids in this list
 */
export function timeCursor(id: z.ZodType<string>) {
  const parts = z.object({
    // ISO 8601 has the year 0000, Postgres has not.
    at: z.iso.datetime().refine((time) => !time.startsWith('0000')),
    id,
  });
  return z.string().transform((text, context) => {
    const [, at, last] = CURSOR.exec(text) ?? [];
    const parsed = parts.safeParse({ at, id: last });
    if (parsed.success) return parsed.data;
    context.addIssue({ code: 'custom', message: 'expected `time~id` as an earlier page gave it' });
    return z.NEVER;
  });
}
