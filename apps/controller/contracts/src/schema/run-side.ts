import { z } from 'zod';
import { Name } from './ids.js';

const SIDE = /^([^~]+)(?:~([^~]+))?$/;

/** One side of a comparison as it stands in addresses: `RUN` or `RUN~BUILD`. */
export const RunSide = z.string().transform((text, context) => {
  const [, run, build] = SIDE.exec(text) ?? [];
  const parsed = z.object({ run: z.uuid(), build: Name.optional() }).safeParse({ run, build });
  if (parsed.success) return { run: parsed.data.run, build: parsed.data.build ?? null };
  context.addIssue({ code: 'custom', message: 'expected `RUN` or `RUN~BUILD`' });
  return z.NEVER;
});
export type RunSide = z.output<typeof RunSide>;
