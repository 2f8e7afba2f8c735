import { cpuFamilyName } from './cpu-family.js';
import type { CombinationIdentity } from '../schema/combination.js';
import type { Inventory } from '../schema/inventory.js';
import type { PeerPath } from '../schema/paths.js';

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

/** Short human label, e.g. "QEMU ivshmem → QEMU edu · BUS_ADDR · AMD Zen 1/2". */
export function combinationLabel({ provider, client, pathKind, platform }: CombinationIdentity): string {
  const iommu = platform.iommu === 'none' ? '' : ` · IOMMU ${platform.iommu}`;
  const cpu = cpuFamilyName(platform.cpuVendor, platform.cpuFamily);
  return `${provider} → ${client} · ${pathKind} · ${cpu}${iommu}`;
}
