import { z } from 'zod';
import { Name, Sha256 } from './ids.js';
import { Role, ROLES_MAX } from './participants.js';
import { PathKind } from './paths.js';

const Hardware = z.object({
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
/** The hardware of one machine and one of its pairs. */
export type HardwareIdentity = z.infer<typeof Hardware>;

/**
 * What a kernel is tested on, without that kernel: the grid's column. In a job with several roles the other machines and
 * their kernels belong to it: for the kernel of the first role they are what it works with.
 */
export const CombinationIdentity = Hardware.extend({
  /** Of the machine above, where there are several. */
  role: Role.optional(),
  /** The other roles, in their order; `build` = the name of the build that each runs. */
  peers: z
    .array(Hardware.extend({ role: Role, build: Name }))
    .max(ROLES_MAX)
    .optional(),
});
export type CombinationIdentity = z.infer<typeof CombinationIdentity>;

export const Combination = z.object({ hash: Sha256, label: z.string(), identity: CombinationIdentity });
export type Combination = z.infer<typeof Combination>;
