import { z } from 'zod';
import { recogniseDevice } from './devices.js';
import type { Inventory, PciFunction } from './inventory.js';

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

/** ACS request redirect, completion redirect and egress control send peer traffic up to the root. */
const ACS_REDIRECT_BITS = 0x04 | 0x08 | 0x20;

/**
 * Root complexes the kernel trusts to route between root ports (pci_p2pdma_whitelist of Linux 7.3),
 * by the ids of the first device on the root bus.
 */
const TRUSTED_HOST_BRIDGES = new Set([
  '8086:3c00',
  '8086:3c01',
  '8086:2f00',
  '8086:2f01',
  '8086:2020',
  '8086:2030',
  '8086:2031',
  '8086:2032',
  '8086:2033',
  '8086:09a2',
]);

/**
 * Predicts the path kind from the inventory alone, so that what the kernel under test claims can be
 * compared with something it did not say. Follows calc_map_type_and_dist() of drivers/pci/p2pdma.c.
 */
export function predictPath(
  inventory: Inventory,
  provider: PciFunction,
  client: PciFunction,
): Pick<PeerPath, 'kind' | 'distance' | 'reason'> {
  const byAddress = new Map(inventory.functions.map((fn) => [fn.address, fn]));
  const up = [...provider.parents].reverse();
  const clientUp = [...client.parents].reverse();
  const common = up.find((bridge) => clientUp.includes(bridge));
  if (common !== undefined) {
    // The kernel looks at the ends themselves and, on the provider's side, at the common bridge too.
    const climbed = [
      provider.address,
      ...up.slice(0, up.indexOf(common) + 1),
      client.address,
      ...clientUp.slice(0, clientUp.indexOf(common)),
    ];
    const redirecting = climbed.find(
      (address) => ((byAddress.get(address)?.acsControl ?? 0) & ACS_REDIRECT_BITS) !== 0,
    );
    const distance = up.indexOf(common) + 1 + clientUp.indexOf(common) + 1;
    if (redirecting === undefined) {
      return { kind: 'BUS_ADDR', distance, reason: `both below bridge ${common}` };
    }
    return throughHostBridge(inventory, distance, `ACS redirect at ${redirecting}`);
  }
  return throughHostBridge(inventory, up.length + clientUp.length + 2, 'no common bridge');
}

function throughHostBridge(
  inventory: Inventory,
  distance: number,
  why: string,
): Pick<PeerPath, 'kind' | 'distance' | 'reason'> {
  const { vendor, family } = inventory.cpu;
  if (vendor === 'AuthenticAMD' && family >= 0x17) {
    return { kind: 'THRU_HOST_BRIDGE', distance, reason: `${why}; AMD family ${family} routes between root ports` };
  }
  const root = inventory.functions.find((fn) => fn.address.endsWith(':00:00.0'));
  const ids = root === undefined ? 'unknown' : `${root.vendor}:${root.device}`;
  if (TRUSTED_HOST_BRIDGES.has(ids)) {
    return { kind: 'THRU_HOST_BRIDGE', distance, reason: `${why}; host bridge ${ids} is on the kernel's list` };
  }
  return { kind: 'NOT_SUPPORTED', distance: null, reason: `${why}; host bridge ${ids} is not on the kernel's list` };
}

/** Every provider × client pair of a machine, ordered by address. */
export function peerPaths(inventory: Inventory): PeerPath[] {
  const known = inventory.functions.flatMap((fn) => {
    const device = recogniseDevice(fn);
    return device === null ? [] : [{ fn, ...device }];
  });
  const providers = known.filter((d) => d.role === 'provider');
  const clients = known.filter((d) => d.role === 'client');
  return providers.flatMap((p) =>
    clients.map((c) => ({
      provider: { address: p.fn.address, model: p.model },
      client: { address: c.fn.address, model: c.model },
      ...predictPath(inventory, p.fn, c.fn),
    })),
  );
}
