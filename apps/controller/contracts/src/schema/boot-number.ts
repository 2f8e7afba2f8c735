import { z } from 'zod';

/** Which boot of a run with `repeat` something is: the second of five is `{ number: 2, of: 5 }`. */
export const BootNumber = z.object({ number: z.number().int().positive(), of: z.number().int().positive() });
export type BootNumber = z.infer<typeof BootNumber>;
