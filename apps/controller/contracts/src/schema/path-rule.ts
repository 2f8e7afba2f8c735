import { z } from 'zod';
import { PathKind } from './paths.js';

/** Host bridges of one rule: Linux 7.3 lists 25. */
export const HOST_BRIDGES_MAX = 512;
/** Differences that one rule names: a rule has seven parts. */
const CHANGES_MAX = 16;

const PciId = z.string().regex(/^[0-9a-f]{4}$/);

/** A host bridge that the kernel trusts to route between its root ports, by the ids of the device that stands for it. */
export const TrustedHostBridge = z.object({
  vendor: PciId,
  /** null = every device of the vendor. */
  device: PciId.nullable(),
  /** Only between devices below one host bridge. */
  sameOnly: z.boolean(),
});
export type TrustedHostBridge = z.infer<typeof TrustedHostBridge>;

/**
 * What of drivers/pci/p2pdma.c a source has otherwise than the farm knows it: `path` = how the way between two devices is
 * found, `cpu` = which processors route between all root ports, `host-bridges` = which host bridges do. Another word may
 * come from a later builder, and is taken for `path`: nothing is predicted then.
 */
export type ChangedPart = 'path' | 'cpu' | 'host-bridges';

/**
 * The rule by which a kernel decides how DMA between two devices travels, read from the source that it was built of. The
 * first host bridge that fits counts, as in the kernel.
 */
export const PathRule = z.object({
  hostBridges: z.array(TrustedHostBridge).max(HOST_BRIDGES_MAX),
  /** What depends on a changed part is not predicted. `why` is for people. */
  changed: z.array(z.object({ what: z.string().max(40), why: z.string().max(300) })).max(CHANGES_MAX),
});
export type PathRule = z.infer<typeof PathRule>;

/** The path that a kernel is expected to take between two devices of a machine. */
export const PathPrediction = z.object({
  /** null = its source changes the rule in a way that the farm does not know. */
  kind: PathKind.nullable(),
  /** Hops as the kernel counts them; null when not supported or not known. */
  distance: z.number().int().nonnegative().nullable(),
  reason: z.string().max(2000),
});
export type PathPrediction = z.infer<typeof PathPrediction>;
