import type { Inventory, PciFunction } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';
import { addressesOnPath, pcieTree, type PcieNode } from './pcie-tree.js';

function fn(address: string, ids: string, cls: string, parents: string[] = []): PciFunction {
  const [vendor = '', device = ''] = ids.split(':');
  return {
    address,
    vendor,
    device,
    subsystem: null,
    class: cls,
    revision: '00',
    parents,
    driver: null,
    link: cls === '060400' ? { speed: '8.0 GT/s', width: 4 } : null,
    numaNode: null,
    acsControl: null,
    iommuGroup: null,
    barSizesBytes: [],
  };
}
const [RP, UP, D0, D1] = ['0000:00:03.0', '0000:01:00.0', '0000:02:00.0', '0000:02:01.0'];
const inventory = {
  functions: [
    fn('0000:04:00.0', '1234:11e8', '00ff00', [RP, UP, D1]),
    fn(RP, '1b36:000c', '060400'),
    fn(UP, '104c:8232', '060400', [RP]),
    fn(D0, '104c:8233', '060400', [RP, UP]),
    fn(D1, '104c:8233', '060400', [RP, UP]),
    fn('0000:03:00.0', '1af4:1110', '050000', [RP, UP, D0]),
    fn('0000:09:00.0', '8086:1234', '020000', ['0000:ff:00.0']),
  ],
} as unknown as Inventory;

const drawn = (nodes: readonly PcieNode[]): unknown[] =>
  nodes.map(({ fn: { address }, what, children }) => [address.slice(5), what, ...drawn(children)]);

describe('pcieTree', () => {
  it('hangs functions below their bridges, names ports by place, and keeps strays at the root', () => {
    expect(drawn(pcieTree(inventory))).toEqual([
      [
        '00:03.0',
        'root port',
        [
          '01:00.0',
          'switch, upstream port',
          ['02:00.0', 'switch, downstream port', ['03:00.0', 'QEMU ivshmem']],
          ['02:01.0', 'switch, downstream port', ['04:00.0', 'QEMU edu']],
        ],
      ],
      ['09:00.0', 'Ethernet controller'],
    ]);
  });
});

describe('addressesOnPath', () => {
  it('climbs to the shared bridge and no further', () => {
    expect([...addressesOnPath(inventory, '0000:03:00.0', '0000:04:00.0')].sort()).toEqual(
      [UP, D0, D1, '0000:03:00.0', '0000:04:00.0'].sort(),
    );
  });
  it('is empty for functions that are not there', () => {
    expect(addressesOnPath(inventory, '0000:03:00.0', '0000:aa:00.0').size).toBe(0);
  });
});
