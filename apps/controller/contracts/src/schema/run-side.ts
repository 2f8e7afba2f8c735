import { z } from 'zod';
import { Name } from './ids.js';

/** Characters: the id of a run has 36, a name at most 64. */
const SIDE_MAX = 101;

/** One side of a comparison as it stands in addresses: `RUN` or `RUN~BUILD`. */
export const RunSide = z.string().transform((text, context) => {
  const [run, build, ...more] = text.length > SIDE_MAX ? [] : text.split('~');
  const parsed = z
    .object({ run: z.uuid(), build: Name.optional() })
    .safeParse(more.length === 0 ? { run, build } : null);
  if (parsed.success) return { run: parsed.data.run, build: parsed.data.build ?? null };
  context.addIssue({ code: 'custom', message: 'expected `RUN` or `RUN~BUILD`' });
  return z.NEVER;
});
export type RunSide = z.output<typeof RunSide>;
