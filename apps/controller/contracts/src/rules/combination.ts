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

/** Short human label, e.g. "QEMU ivshmem → QEMU edu · BUS_ADDR · AMD 0x17". */
export function combinationLabel(identity: CombinationIdentity): string {
  const vendor =
    { AuthenticAMD: 'AMD', GenuineIntel: 'Intel' }[identity.platform.cpuVendor] ?? identity.platform.cpuVendor;
  const iommu = identity.platform.iommu === 'none' ? '' : ` · IOMMU ${identity.platform.iommu}`;
  return `${identity.provider} → ${identity.client} · ${identity.pathKind} · ${vendor} 0x${identity.platform.cpuFamily.toString(16)}${iommu}`;
}
