import { cpuFamilyName, isVirtual, type HardwareSide } from '@peerlab/contracts';

/** One fact of the hardware on both sides. */
export interface HardwareFact {
  name: string;
  a: string;
  b: string;
  isSame: boolean;
}

/** What two combinations are made of, those facts first in which they differ. */
export function hardwareFacts(a: HardwareSide, b: HardwareSide): HardwareFact[] {
  const facts = (side: HardwareSide): [string, string][] => {
    const { provider, client, pathKind, platform } = side.combination.identity;
    return [
      ['peer path', pathKind],
      ['provider', provider],
      ['client', client],
      ['IOMMU', platform.iommu],
      ['CPU', cpuFamilyName(platform.cpuVendor, platform.cpuFamily)],
      ['system', platform.system],
      ['machine', isVirtual(side.combination.identity) ? 'virtual' : 'real'],
    ];
  };
  const other = new Map(facts(b));
  return facts(a)
    .map(([name, left]): HardwareFact => {
      const right = other.get(name) ?? '';
      return { name, a: left, b: right, isSame: left === right };
    })
    .toSorted((x, y) => Number(x.isSame) - Number(y.isSame));
}
