import { describe, expect, it } from 'vitest';
import {
  canonicalJson,
  combinationLabel,
  combinationOf,
  type Inventory,
  peerPaths,
  type PciFunction,
} from './index.js';

const fn = (
  address: string,
  ids: string,
  parents: string[],
  acsControl: number | null = null,
  cls = '060400',
): PciFunction => ({
  address,
  vendor: ids.slice(0, 4),
  device: ids.slice(5),
  subsystem: null,
  class: cls,
  revision: '00',
  parents,
  driver: null,
  link: null,
  numaNode: null,
  acsControl,
  iommuGroup: null,
  barSizesBytes: [0, 0, 0, 0, 0, 0],
});
const machine = (cpu: 'amd' | 'intel', functions: PciFunction[]): Inventory => ({
  cpu: {
    vendor: cpu === 'amd' ? 'AuthenticAMD' : 'GenuineIntel',
    family: cpu === 'amd' ? 0x17 : 6,
    model: 1,
    name: cpu,
    count: 2,
  },
  memoryBytes: 2 ** 30,
  system: { vendor: 'QEMU', product: 'Q35', board: '', firmware: '' },
  iommu: 'none',
  kernel: { release: '', buildId: '', commandLine: '' },
  functions: [fn('0000:00:00.0', '8086:29c0', [], null, '060000'), ...functions],
});
const below = ['0000:00:01.0', '0000:01:00.0'];
const behindSwitch = (acs: number | null) => [
  fn('0000:00:01.0', '1b36:000c', []),
  fn('0000:01:00.0', '104c:8232', ['0000:00:01.0']),
  fn('0000:02:00.0', '104c:8233', below, acs),
  fn('0000:02:01.0', '104c:8233', below, acs),
  fn('0000:03:00.0', '1af4:1110', [...below, '0000:02:00.0'], null, '050000'),
  fn('0000:04:00.0', '1234:11e8', [...below, '0000:02:01.0'], null, '00ff00'),
];
const rootPorts = [
  fn('0000:00:01.0', '1b36:000c', []),
  fn('0000:00:02.0', '1b36:000c', []),
  fn('0000:01:00.0', '1af4:1110', ['0000:00:01.0'], null, '050000'),
  fn('0000:02:00.0', '1234:11e8', ['0000:00:02.0'], null, '00ff00'),
];

describe('peerPaths', () => {
  it('finds the switch: BUS_ADDR at distance 4 on any CPU', () => {
    for (const cpu of ['amd', 'intel'] as const) {
      expect(peerPaths(machine(cpu, behindSwitch(null)))).toMatchObject([{ kind: 'BUS_ADDR', distance: 4 }]);
    }
  });
  it('goes up to the root when ACS redirects on the way', () => {
    expect(peerPaths(machine('amd', behindSwitch(0x1d)))).toMatchObject([{ kind: 'THRU_HOST_BRIDGE' }]);
    expect(peerPaths(machine('intel', behindSwitch(0x1d)))).toMatchObject([{ kind: 'NOT_SUPPORTED', distance: null }]);
  });
  it('lets root ports talk on AMD family 0x17 and not on an unlisted Intel bridge', () => {
    expect(peerPaths(machine('amd', rootPorts))).toMatchObject([{ kind: 'THRU_HOST_BRIDGE' }]);
    expect(peerPaths(machine('intel', rootPorts))).toMatchObject([{ kind: 'NOT_SUPPORTED' }]);
  });
});

describe('combination', () => {
  it('does not depend on bus numbers', () => {
    const moved = rootPorts.map((f) => ({
      ...f,
      address: f.address.replace('0000:0', '0000:1'),
      parents: f.parents.map((p) => p.replace('0000:0', '0000:1')),
    }));
    const identity = (functions: PciFunction[]) => {
      const m = machine('amd', functions);
      const path = peerPaths(m)[0];
      if (path === undefined) throw new Error('no path');
      return combinationOf(m, path);
    };
    expect(canonicalJson(identity(moved))).toBe(canonicalJson(identity(rootPorts)));
    expect(combinationLabel(identity(rootPorts))).toBe('QEMU ivshmem → QEMU edu · THRU_HOST_BRIDGE · AMD 0x17');
  });
  it('sorts keys at every depth', () => {
    expect(canonicalJson({ b: [{ d: 1, c: null }], a: 'x' })).toBe('{"a":"x","b":[{"c":null,"d":1}]}');
  });
});
