import { z } from 'zod';

/** Shortest beginning of an id that may be asked for, in characters; pages show eight. */
export const ID_PREFIX_MIN = 4;

/** Hex digits of a UUID. */
const DIGITS = 32;
const isLong = (digits: number): boolean => digits >= ID_PREFIX_MIN && digits <= DIGITS;

/** The beginning of a UUID, or all of it: lower-case hex digits with the dashes of a UUID or without. */
export const IdPrefix = z
  .string()
  .min(ID_PREFIX_MIN)
  .max(36)
  .regex(/^[0-9a-f-]+$/, 'expected the beginning of an id: lower-case hex digits')
  .refine((text) => isLong(text.replaceAll('-', '').length), {
    error: `expected ${ID_PREFIX_MIN} to ${DIGITS} hex digits`,
  });

export const IdKind = z.enum(['run', 'attempt', 'build', 'job']);
export type IdKind = z.infer<typeof IdKind>;

/** Things of one kind that an answer names at most. */
export const FOUND_IDS_MAX = 10;

/** Something whose id begins as asked. `name`: of the run, or `MACHINE / BUILD`. */
export const FoundId = z.object({ kind: IdKind, id: z.uuid(), name: z.string() });
export type FoundId = z.infer<typeof FoundId>;
