import { describe, expect, it } from 'vitest';
import type { Inventory, PciFunction } from '../schema/inventory.js';
import { canonicalJson } from './canonical-json.js';
import { hardwareOf, stateOf } from './inventory-parts.js';

const fn = (address: string, device: string, more: Partial<PciFunction> = {}): PciFunction => ({
  address,
  vendor: '1af4',
  device,
  subsystem: null,
  class: '050000',
  revision: '01',
  parents: [],
  driver: null,
  link: { speed: '2.5 GT/s', width: 16, maxSpeed: '32.0 GT/s' },
  numaNode: 0,
  acsControl: null,
  iommuGroup: '7',
  barSizesBytes: [4096, 0, 0, 0, 0, 0],
  ...more,
});
const PORT = fn('0000:00:01.0', '000c', { class: '060400' });
const machine = (functions: PciFunction[], more: Partial<Inventory> = {}): Inventory => ({
  cpu: { vendor: 'AuthenticAMD', family: 0x17, model: 1, name: 'EPYC', count: 2 },
  memoryBytes: 64 * 1024 ** 3,
  system: { vendor: 'ACME', product: 'P2P-1', board: 'B', firmware: '1.16' },
  iommu: 'none',
  kernel: { release: '6.1.0-35', buildId: 'aa', commandLine: 'quiet' },
  functions,
  ...more,
});
const gpu = (more: Partial<PciFunction> = {}): PciFunction =>
  fn('0000:01:00.0', '1110', { parents: [PORT.address], ...more });
const before = machine([PORT, gpu()]);
const isSame = (part: (inventory: Inventory) => unknown, after: Inventory): boolean =>
  canonicalJson(part(before)) === canonicalJson(part(after));

describe('of two inventories of a machine', () => {
  it.each<[string, Inventory]>([
    ['another order', machine([gpu(), PORT])],
    ['another bus number', machine([PORT, gpu({ address: '0000:05:00.0' })])],
    ['a little memory that the kernel took', machine([PORT, gpu()], { memoryBytes: 64 * 1024 ** 3 - 5e7 })],
    ['another driver', machine([PORT, gpu({ driver: 'vfio-pci' })])],
    ['another kernel', machine([PORT, gpu()], { kernel: { release: '6.12', buildId: 'bb', commandLine: '' } })],
    ['a virtual function', machine([PORT, gpu(), gpu({ address: '0000:01:00.1', physicalFunction: '0000:01:00.0' })])],
    [
      'another specimen',
      machine([PORT, gpu({ units: [{ part: 'card', digest: `${'a'.repeat(8)}-${'b'.repeat(32)}` }] })]),
    ],
  ])('the hardware is the same after %s', (_name, after) => {
    expect(isSame(hardwareOf, after)).toBe(true);
  });

  it.each<[string, Inventory]>([
    ['another model', machine([PORT, gpu({ device: '1111' })])],
    [
      'another slot',
      machine([PORT, fn('0000:00:01.1', '000c', { class: '060400' }), gpu({ parents: ['0000:00:01.1'] })]),
    ],
    ['a device that is gone', machine([PORT])],
    ['half of the memory', machine([PORT, gpu()], { memoryBytes: 32 * 1024 ** 3 })],
    ['another board', machine([PORT, gpu()], { system: { ...before.system, board: 'C' } })],
  ])('the hardware is another one after %s', (_name, after) => {
    expect(isSame(hardwareOf, after)).toBe(false);
  });

  it.each<[string, Inventory]>([
    ['another driver', machine([PORT, gpu({ driver: 'vfio-pci' })])],
    ['fewer lanes', machine([PORT, gpu({ link: { speed: '2.5 GT/s', width: 8, maxSpeed: '32.0 GT/s' } })])],
    ['a larger BAR', machine([PORT, gpu({ barSizesBytes: [8192, 0, 0, 0, 0, 0] })])],
    ['another mode of the IOMMU', machine([PORT, gpu({ iommuMode: 'identity' })])],
    ['other firmware', machine([PORT, gpu()], { system: { ...before.system, firmware: '1.17' } })],
  ])('the state is another one after %s', (_name, after) => {
    expect(isSame(stateOf, after)).toBe(false);
    expect(isSame(hardwareOf, after)).toBe(true);
  });

  it('the state is the same while links rest and ports come up', () => {
    const link = { speed: '32.0 GT/s', width: 16, maxSpeed: '32.0 GT/s' };
    const up = {
      device: 'mlx5_0',
      port: 1,
      state: 'ACTIVE',
      physicalState: 'LinkUp',
      rate: '100 Gb/sec',
      linkLayer: 'Ethernet',
    };
    expect(isSame(stateOf, machine([PORT, gpu({ link, ports: [up] })]))).toBe(true);
  });
});
