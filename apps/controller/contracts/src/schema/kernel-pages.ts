import { z } from 'zod';
import { Sha256 } from './ids.js';
import { timeCursor } from './time-cursor.js';

/** Kernels of one page of the grid by kernel build: without a cursor the newest that were tested. */
export const KERNELS_MAX = 30;
/** Tested kernels beyond a page are counted up to here, in each direction. */
export const KERNELS_COUNTED = 500;

/** A page has the tested kernels whose bundles were stored before: `time~content key`. */
export const KernelCursor = timeCursor(Sha256);
export type KernelCursor = z.infer<typeof KernelCursor>;

/** The kernels on one side of a page. */
export const KernelsBeyond = z.object({
  /** Those with results, at most KERNELS_COUNTED. */
  count: z.number().int().nonnegative(),
  /** `before` of the next page on this side; null = that has none (the newest kernels), or there is no such page. */
  before: z.string().nullable(),
});
export type KernelsBeyond = z.infer<typeof KernelsBeyond>;
