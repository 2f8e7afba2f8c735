import { z } from 'zod';
import { PathKind } from './paths.js';

/** The hardware identity without the kernel: the grid's column. */
export const CombinationIdentity = z.object({
  provider: z.string(),
  client: z.string(),
  pathKind: PathKind,
  platform: z.object({
    system: z.string(),
    cpuVendor: z.string(),
    cpuFamily: z.number().int(),
    iommu: z.enum(['none', 'translated', 'passthrough']),
  }),
});
export type CombinationIdentity = z.infer<typeof CombinationIdentity>;
