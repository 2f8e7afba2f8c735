import { z } from 'zod';

/** How DMA from a client reaches a provider; the kernel's words (drivers/pci/p2pdma.c). */
export const PathKind = z.enum(['BUS_ADDR', 'THRU_HOST_BRIDGE', 'NOT_SUPPORTED']);
export type PathKind = z.infer<typeof PathKind>;

/** One provider and client pair of a machine, and how the farm expects DMA to travel between them. */
export const PeerPath = z.object({
  provider: z.object({ address: z.string().max(64), model: z.string().max(200) }),
  client: z.object({ address: z.string().max(64), model: z.string().max(200) }),
  kind: PathKind,
  /** Hops as the kernel counts them (4 = same switch); null when not supported. */
  distance: z.number().int().nonnegative().nullable(),
  reason: z.string().max(2000),
});
export type PeerPath = z.infer<typeof PeerPath>;
