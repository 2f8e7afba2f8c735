import { z } from 'zod';
import type { Inventory } from './inventory.js';
import { PathKind, type PeerPath } from './paths.js';

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

export function combinationOf(inventory: Inventory, path: PeerPath): CombinationIdentity {
  return {
    provider: path.provider.model,
    client: path.client.model,
    pathKind: path.kind,
    platform: {
      system: `${inventory.system.vendor} ${inventory.system.product}`.trim(),
      cpuVendor: inventory.cpu.vendor,
      cpuFamily: inventory.cpu.family,
      iommu: inventory.iommu,
    },
  };
}

/** Short human label, e.g. "QEMU ivshmem → QEMU edu · BUS_ADDR · AMD 0x17". */
export function combinationLabel(identity: CombinationIdentity): string {
  const vendor =
    { AuthenticAMD: 'AMD', GenuineIntel: 'Intel' }[identity.platform.cpuVendor] ?? identity.platform.cpuVendor;
  const iommu = identity.platform.iommu === 'none' ? '' : ` · IOMMU ${identity.platform.iommu}`;
  return `${identity.provider} → ${identity.client} · ${identity.pathKind} · ${vendor} 0x${identity.platform.cpuFamily.toString(16)}${iommu}`;
}

/** JSON with sorted keys and no white space: the same value always gives the same text to hash. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value).filter(([, v]) => v !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonicalJson(v)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}
