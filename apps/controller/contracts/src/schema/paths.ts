import { z } from 'zod';

/** How DMA from a client reaches a provider; the kernel's words (drivers/pci/p2pdma.c). */
export const PathKind = z.enum(['BUS_ADDR', 'THRU_HOST_BRIDGE', 'NOT_SUPPORTED']);
export type PathKind = z.infer<typeof PathKind>;

/** What a test is judged by: a path, or none where the source of its kernel changes the rule. */
export const ExpectedPath = z.enum([...PathKind.options, 'unknown']);
export type ExpectedPath = z.infer<typeof ExpectedPath>;

const Address = z.string().max(64);

/** Addresses of a provider and a client of one machine: which of its functions a job tests. */
export const DevicePair = z.object({ provider: Address, client: Address });
export type DevicePair = z.infer<typeof DevicePair>;

/** `0000:03:00.0 → 0000:04:00.0`. */
export const pairText = ({ provider, client }: DevicePair): string => `${provider} → ${client}`;

const Mode = z.string().max(256);

/** One provider and client pair of a machine, and how the farm expects DMA to travel between them. */
export const PeerPath = z.object({
  provider: z.object({ address: Address, model: z.string().max(200) }),
  client: z.object({ address: Address, model: z.string().max(200) }),
  kind: PathKind,
  /** Hops as the kernel counts them (4 = same switch); null when not supported. */
  distance: z.number().int().nonnegative().nullable(),
  reason: z.string().max(2000),
  /** Modes of the IOMMU groups of both, null = in no group; absent where the agent did not read them. */
  iommuModes: z.object({ provider: Mode.nullable(), client: Mode.nullable() }).optional(),
});
export type PeerPath = z.infer<typeof PeerPath>;

/** The devices of a path. */
export function pairOf(path: PeerPath): DevicePair;
export function pairOf(path: PeerPath | null): DevicePair | null;
export function pairOf(path: PeerPath | null): DevicePair | null {
  return path === null ? null : { provider: path.provider.address, client: path.client.address };
}
