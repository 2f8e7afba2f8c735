import { cpuFamilyName } from './cpu-family.js';
import type { CombinationIdentity, HardwareIdentity } from '../schema/combination.js';
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
      iommu: iommuOf(inventory, path),
    },
  };
}

/**
 * What the IOMMU does with the DMA of the client: groups of one machine may have other modes than the first one. Whether it flushes
 * at once (`DMA`) or late (`DMA-FQ`) is a state of the machine and no other combination.
 */
function iommuOf({ iommu }: Inventory, { iommuModes }: PeerPath): HardwareIdentity['platform']['iommu'] {
  if (iommuModes === undefined) return iommu;
  const { client } = iommuModes;
  if (client === null) return 'none';
  return client === 'identity' ? 'passthrough' : 'translated';
}

/** How the firmware of virtual machines calls its vendor. */
const VIRTUAL_VENDORS = [
  'QEMU',
  'KVM',
  'Bochs',
  'VMware',
  'innotek',
  'Xen',
  'Parallels',
  'Microsoft Corporation Virtual',
];

/**
 * Whether the machines of a combination are virtual, by what their firmware says of itself. A figure of one then means
 * something beside another of the same machine and nothing by itself: pages say so with RATIOS_ONLY.
 */
export function isVirtual({ platform }: Pick<CombinationIdentity, 'platform'>): boolean {
  return VIRTUAL_VENDORS.some((vendor) => platform.system.startsWith(vendor));
}

/** What stands wherever figures of virtual machines stand. */
export const RATIOS_ONLY =
  'Emulation: ratios only. These machines are virtual: a figure means something beside another of the same machine, and ' +
  'nothing by itself.';

/** The combination of a job with several roles: that of the first one, with the others as what it works with. */
export function combinationOfRoles(
  roles: readonly { role: string; build: string; identity: HardwareIdentity }[],
): CombinationIdentity {
  const [first, ...others] = roles;
  if (first === undefined) throw new Error('a job without roles');
  return {
    ...first.identity,
    role: first.role,
    peers: others.map(({ role, build, identity }) => ({ ...identity, role, build })),
  };
}

/** The hardware of a role of the combination; of a role that it does not have, that of the first one. */
export function hardwareOfRole({ peers = [], ...first }: CombinationIdentity, role: string): HardwareIdentity {
  return peers.find((peer) => peer.role === role) ?? first;
}

/**
 * Short human label, e.g. "QEMU ivshmem → QEMU edu · BUS_ADDR · AMD Zen 1/2"; with several roles e.g.
 * "client: … ⇄ server: … with base".
 */
export function combinationLabel({ role, peers = [], ...hardware }: CombinationIdentity): string {
  if (role === undefined) return hardwareLabel(hardware);
  return [
    `${role}: ${hardwareLabel(hardware)}`,
    ...peers.map((peer) => `${peer.role}: ${hardwareLabel(peer)} with ${peer.build}`),
  ].join(' ⇄ ');
}

function hardwareLabel({ provider, client, pathKind, platform }: HardwareIdentity): string {
  const iommu = platform.iommu === 'none' ? '' : ` · IOMMU ${platform.iommu}`;
  const cpu = cpuFamilyName(platform.cpuVendor, platform.cpuFamily);
  return `${provider} → ${client} · ${pathKind} · ${cpu}${iommu}`;
}
