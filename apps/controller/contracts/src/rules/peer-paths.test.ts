import { describe, expect, it } from 'vitest';
import { growthOf } from '../testing/growth.js';
import {
  canonicalJson,
  combinationLabel,
  combinationOf,
  type Inventory,
  LINUX_PATH_RULE,
  type PathRule,
  predictPath,
  PATH_ENDS_MAX,
  peerPaths,
  type PciFunction,
} from '../index.js';

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

/** Inventories of the lab's further machines, as the guests' own kernels list their functions. */
describe('predictPath on every topology', () => {
  const [root = fn('0000:00:01.0', '1b36:000c', []), up0 = root, ...rest] = behindSwitch(null);
  const provider = (address: string, parents: string[]) => fn(address, '1af4:1110', parents, null, '050000');
  const client = (address: string, parents: string[]) => fn(address, '1234:11e8', parents, null, '00ff00');

  it('a PCIe-to-PCI bridge: BUS_ADDR at distance 2, whatever the CPU', () => {
    const bridge = fn('0000:00:05.0', '1b36:000e', []);
    const peers = [provider('0000:01:01.0', ['0000:00:05.0']), client('0000:01:02.0', ['0000:00:05.0'])];
    for (const cpu of ['amd', 'intel'] as const)
      expect(peerPaths(machine(cpu, [bridge, ...peers]))).toMatchObject([{ kind: 'BUS_ADDR', distance: 2 }]);
  });

  it('the root bus: left to the host bridge', () => {
    const peers = [provider('0000:00:10.0', []), client('0000:00:11.0', [])];
    expect(peerPaths(machine('intel', peers))).toMatchObject([{ kind: 'NOT_SUPPORTED', distance: null }]);
    expect(peerPaths(machine('amd', peers))).toMatchObject([{ kind: 'THRU_HOST_BRIDGE', distance: 2 }]);
  });

  it('two providers below one switch: both pairs, the first provider first', () => {
    const ports = ['0000:02:00.0', '0000:02:01.0', '0000:02:02.0'].map((address) => fn(address, '104c:8233', below));
    const paths = peerPaths(
      machine('amd', [
        root,
        up0,
        ...ports,
        provider('0000:03:00.0', [...below, '0000:02:00.0']),
        provider('0000:04:00.0', [...below, '0000:02:01.0']),
        client('0000:05:00.0', [...below, '0000:02:02.0']),
      ]),
    );
    expect(paths.map(({ provider: { address }, kind, distance }) => [address, kind, distance])).toEqual([
      ['0000:03:00.0', 'BUS_ADDR', 4],
      ['0000:04:00.0', 'BUS_ADDR', 4],
    ]);
  });

  it('one provider in reach and one not', () => {
    const far = [fn('0000:00:06.0', '1b36:000c', []), provider('0000:05:00.0', ['0000:00:06.0'])];
    expect(peerPaths(machine('intel', [root, up0, ...rest, ...far])).map(({ kind }) => kind)).toEqual([
      'BUS_ADDR',
      'NOT_SUPPORTED',
    ]);
  });

  it('an IOMMU makes Linux redirect at root ports, which leaves what is below a switch alone', () => {
    const redirecting = { ...root, acsControl: 0x1d };
    const inventory = { ...machine('amd', [redirecting, up0, ...rest]), iommu: 'translated' as const };
    const [path] = peerPaths(inventory);
    expect(path).toMatchObject({ kind: 'BUS_ADDR', distance: 4 });
    if (path === undefined) throw new Error('no path');
    expect(combinationLabel(combinationOf(inventory, path))).toMatch(/IOMMU translated$/);
    const roots = rootPorts.map((port) => (port.vendor === '1b36' ? { ...port, acsControl: 0x1d } : port));
    expect(peerPaths(machine('amd', roots))).toMatchObject([{ kind: 'THRU_HOST_BRIDGE', distance: 4 }]);
  });

  it('a redirect at the common bridge itself counts', () => {
    const shared = [fn('0000:00:01.0', '1b36:000c', [], 0x1d)];
    const peers = [provider('0000:01:00.0', ['0000:00:01.0']), client('0000:01:00.1', ['0000:00:01.0'])];
    expect(peerPaths(machine('intel', [...shared, ...peers]))).toMatchObject([{ kind: 'NOT_SUPPORTED' }]);
    expect(peerPaths(machine('amd', [...shared, ...peers]))).toMatchObject([{ kind: 'THRU_HOST_BRIDGE', distance: 2 }]);
  });
});

/** Servers with several root buses, one for each root port or stack of a socket. */
describe('host bridges', () => {
  const gpu = (address: string, port: string) => fn(address, '10de:2330', [port], null, '030200');
  const nic = (address: string, port: string) => fn(address, '15b3:1021', [port], null, '020700');
  const port = (address: string, ids: string, pcieType: PciFunction['pcieType'] = 'root-port') => ({
    ...fn(address, ids, []),
    pcieType,
  });
  const kindOf = (functions: PciFunction[]) => {
    const [path] = peerPaths({ ...machine('intel', []), functions });
    return { kind: path?.kind, reason: path?.reason };
  };
  const pair = [gpu('0000:18:00.0', '0000:17:01.0'), nic('0000:3b:00.0', '0000:3a:01.0')];

  it('are those of the root buses of the two ends, not the first one of the machine', () => {
    const first = fn('0000:00:00.0', '8086:2020', [], null, '060000');
    expect(kindOf([first, port('0000:17:01.0', '8086:ffff'), port('0000:3a:01.0', '8086:2030'), ...pair])).toEqual({
      kind: 'NOT_SUPPORTED',
      reason: "no common bridge; host bridges 8086:ffff and 8086:2030 are not on the kernel's list",
    });
    expect(kindOf([first, port('0000:17:01.0', '8086:2031'), port('0000:3a:01.0', '8086:2030'), ...pair]).kind).toBe(
      'THRU_HOST_BRIDGE',
    );
  });

  it.each(['8086:0b25', '8086:4940', '1ae0:abcd', '10de:2f95'])('%s as the first device is on the list', (ids) => {
    const [vendor = ''] = ids.split(':');
    const first = (bus: string) => fn(`0000:${bus}:00.0`, ids, [], null, vendor === '8086' ? '088000' : '060400');
    const ports = [port('0000:17:01.0', '8086:1'), port('0000:3a:01.0', '8086:1')];
    expect(kindOf([first('17'), first('3a'), ...ports, ...pair]).kind).toBe('THRU_HOST_BRIDGE');
  });

  it('of a Xeon E5 route below one host bridge only', () => {
    const sameBus = [gpu('0000:18:00.0', '0000:17:01.0'), nic('0000:3b:00.0', '0000:17:02.0')];
    const ports = [port('0000:17:01.0', '8086:3c00'), port('0000:17:02.0', '8086:3c02')];
    expect(kindOf([...ports, ...sameBus]).kind).toBe('THRU_HOST_BRIDGE');
    expect(kindOf([port('0000:17:01.0', '8086:3c00'), port('0000:3a:01.0', '8086:3c00'), ...pair])).toEqual({
      kind: 'NOT_SUPPORTED',
      reason:
        "no common bridge; host bridges 8086:3c00 and 8086:3c00 are on the kernel's list for one host bridge only",
    });
  });

  it('a first device that is neither 00.0 nor a root port stands for none', () => {
    const odd = [port('0000:17:01.0', '8086:2030', 'endpoint'), port('0000:3a:01.0', '8086:2030'), ...pair];
    expect(kindOf(odd).reason).toContain('host bridges unknown and 8086:2030');
  });
});

describe('predictPath', () => {
  const pair = { provider: '0000:01:00.0', client: '0000:02:00.0' };
  const kindBy = (cpu: 'amd' | 'intel', rule: PathRule, functions = rootPorts, of = pair) =>
    predictPath(machine(cpu, functions), of, rule)?.kind;
  const rule = (...changed: string[]): PathRule => ({
    hostBridges: [{ vendor: '8086', device: '29c0', sameOnly: true }],
    changed: changed.map((what) => ({ what, why: `${what} is another` })),
  });

  it('takes the host bridges of the source: what it lists beyond Linux 7.3, and what it does not list', () => {
    expect(kindBy('intel', LINUX_PATH_RULE)).toBe('NOT_SUPPORTED');
    expect(kindBy('intel', rule())).toBe('THRU_HOST_BRIDGE');
    expect(kindBy('intel', { hostBridges: [], changed: [] })).toBe('NOT_SUPPORTED');
  });

  it('takes the first entry that fits, as the kernel does', () => {
    const any = { vendor: '8086', device: null, sameOnly: false };
    const [only] = rule().hostBridges;
    if (only === undefined) throw new Error('no entry');
    const twoBuses = [
      { ...fn('0000:17:01.0', '8086:29c0', []), pcieType: 'root-port' as const },
      { ...fn('0000:3a:01.0', '8086:29c0', []), pcieType: 'root-port' as const },
      fn('0000:18:00.0', '10de:2330', ['0000:17:01.0'], null, '030200'),
      fn('0000:3b:00.0', '15b3:1021', ['0000:3a:01.0'], null, '020700'),
    ];
    const ends = { provider: '0000:18:00.0', client: '0000:3b:00.0' };
    expect(kindBy('intel', { hostBridges: [only, any], changed: [] }, twoBuses, ends)).toBe('NOT_SUPPORTED');
    expect(kindBy('intel', { hostBridges: [any, only], changed: [] }, twoBuses, ends)).toBe('THRU_HOST_BRIDGE');
  });

  it('is unknown where it depends on what the source changes, and nowhere else', () => {
    const none = { hostBridges: [], changed: rule('cpu').changed };
    // One of the two is enough.
    expect(kindBy('intel', rule('cpu'))).toBe('THRU_HOST_BRIDGE');
    expect(kindBy('intel', none)).toBeNull();
    expect(kindBy('amd', rule('cpu'))).toBe('THRU_HOST_BRIDGE');
    expect(kindBy('amd', none)).toBeNull();
    expect(kindBy('amd', rule('host-bridges'))).toBe('THRU_HOST_BRIDGE');
    expect(kindBy('intel', rule('host-bridges'))).toBeNull();
    const ends = { provider: '0000:03:00.0', client: '0000:04:00.0' };
    expect(kindBy('intel', rule('cpu', 'host-bridges'), behindSwitch(null), ends)).toBe('BUS_ADDR');
    for (const part of ['path', 'a part of a later builder'])
      expect(kindBy('amd', rule(part), behindSwitch(null), ends)).toBeNull();
  });

  it('says what the source changes, and knows no functions that the machine has not', () => {
    expect(predictPath(machine('intel', rootPorts), pair, rule('host-bridges'))).toEqual({
      kind: null,
      distance: null,
      reason: 'unknown: the source changes this rule (host-bridges is another); no common bridge',
    });
    expect(predictPath(machine('amd', rootPorts), { ...pair, client: '0000:09:00.0' }, rule())).toBeNull();
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
    expect(combinationLabel(identity(rootPorts))).toBe('QEMU ivshmem → QEMU edu · THRU_HOST_BRIDGE · AMD Zen 1/2');
  });
  it('has the mode of the client’s own IOMMU group, and those of both ends with the path', () => {
    const withModes = (provider: string | null | undefined, client: string | null | undefined) => {
      const modes: Record<string, string | null | undefined> = { '1110': provider, '11e8': client };
      const functions = rootPorts.map((f) => {
        const iommuMode = modes[f.device];
        return iommuMode === undefined ? f : { ...f, iommuMode };
      });
      const m = { ...machine('amd', functions), iommu: 'passthrough' as const };
      const [path] = peerPaths(m);
      if (path === undefined) throw new Error('no path');
      return { modes: path.iommuModes, iommu: combinationOf(m, path).platform.iommu };
    };
    // An older agent tells the mode of the first group alone.
    expect(withModes(undefined, undefined)).toEqual({ modes: undefined, iommu: 'passthrough' });
    expect(withModes('identity', 'DMA-FQ')).toEqual({
      modes: { provider: 'identity', client: 'DMA-FQ' },
      iommu: 'translated',
    });
    // When the IOMMU flushes is a state, not another combination.
    expect(withModes('identity', 'DMA').iommu).toBe('translated');
    expect(withModes('DMA', 'identity').iommu).toBe('passthrough');
    expect(withModes('DMA', null)).toEqual({ modes: { provider: 'DMA', client: null }, iommu: 'none' });
  });
  it('sorts keys at every depth', () => {
    expect(canonicalJson({ b: [{ d: 1, c: null }], a: 'x' })).toBe('{"a":"x","b":[{"c":null,"d":1}]}');
  });
});

it('of a machine with thousands of devices a bounded number of pairs is made, in proportion to them', async () => {
  const device = (index: number, ids: string, cls: string): PciFunction => {
    const [bus, slot] = [index >> 8, (index >> 3) & 31].map((value) => value.toString(16).padStart(2, '0'));
    const parents = Array.from({ length: 250 }, (_, depth) => `0001:${depth.toString(16).padStart(2, '0')}:00.0`);
    return fn(`0000:${bus}:${slot}.${index & 7}`, ids, parents, null, cls);
  };
  const machineOf = (devices: number): Parameters<typeof peerPaths>[0] =>
    machine(
      'amd',
      Array.from({ length: devices }, (_, index) =>
        index % 2 === 0 ? device(index, '10de:2330', '030200') : device(index, '15b3:1021', '020000'),
      ),
    );
  // 1024 devices, and 4096.
  const growth = await growthOf((size) => machineOf(size / 1024), peerPaths);
  expect(growth.perDoubling, JSON.stringify(growth)).toBeLessThan(3);
  const paths = peerPaths(machineOf(4096));
  expect(paths).toHaveLength(PATH_ENDS_MAX ** 2);
  expect(paths[0]).toMatchObject({ provider: { address: '0000:00:00.0' }, client: { address: '0000:00:00.1' } });
});
