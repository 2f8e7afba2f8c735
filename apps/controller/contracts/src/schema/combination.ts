import { z } from 'zod';
import { Sha256 } from './ids.js';
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

export const Combination = z.object({ hash: Sha256, label: z.string(), identity: CombinationIdentity });
export type Combination = z.infer<typeof Combination>;
