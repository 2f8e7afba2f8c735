import { z } from 'zod';

/** Characters: a time to the microsecond has 27, the longest id 193. */
const CURSOR_MAX = 256;

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
    // The time has no `~`; an id may have some.
    const end = text.length > CURSOR_MAX ? -1 : text.indexOf('~');
    const parsed = parts.safeParse(end === -1 ? null : { at: text.slice(0, end), id: text.slice(end + 1) });
    if (parsed.success) return parsed.data;
    context.addIssue({ code: 'custom', message: 'expected `time~id` as an earlier page gave it' });
    return z.NEVER;
  });
}
