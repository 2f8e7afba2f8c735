import { z } from 'zod';

/** Places in one message. */
export const CALL_PLACES_MAX = 250;
/** Functions at one address: one, and those that were inlined into it. */
const FRAMES_MAX = 16;

/** A function at an address. The compiler's words about strangers' files: what is too long is cut. */
const cut = (max: number) =>
  z
    .string()
    .overwrite((value) => value.slice(0, max))
    .max(max);
export const SourceFrame = z.object({
  /** With its offset where that is all that is known: `foo+0x1c`. */
  name: cut(200),
  /** In the tree that was built; null where it is not known. */
  file: cut(300).nullable(),
  /** Null without debug information. */
  line: z.number().int().positive().nullable(),
});
export type SourceFrame = z.infer<typeof SourceFrame>;

/** Where in the source an address of a report is: the innermost inlined function first. */
export const CallPlace = z.object({
  /** As the report names it: see callKeyOf. */
  call: z.string().min(1).max(300),
  frames: z.array(SourceFrame).min(1).max(FRAMES_MAX),
});
export type CallPlace = z.infer<typeof CallPlace>;
