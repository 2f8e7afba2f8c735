import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inventoryDrift } from './inventory-drift.js';
import type { Inventory, PciFunction } from '../schema/inventory.js';

const fn = (address: string, ids: string, more: Partial<PciFunction> = {}): PciFunction => {
  const [vendor = '', device = ''] = ids.split(':');
  return {
    address,
    vendor,
    device,
    subsystem: null,
    class: '050000',
    revision: '01',
    parents: [],
    driver: null,
    link: null,
    numaNode: null,
    acsControl: null,
    iommuGroup: null,
    barSizesBytes: [0, 0, 0, 0, 0, 0],
    ...more,
  };
};
const machine = (functions: PciFunction[], more: Partial<Inventory> = {}): Inventory => ({
  cpu: { vendor: 'AuthenticAMD', family: 0x17, model: 1, name: 'EPYC', count: 2 },
  memoryBytes: 1024 ** 3,
  system: { vendor: 'QEMU', product: 'Q35', board: '', firmware: '1.16' },
  iommu: 'none',
  kernel: { release: '6.1.0-35', buildId: 'aa', commandLine: 'quiet' },
  functions,
  ...more,
});
const VRAM = '1af4:1110';
const EDU = '1234:11e8';

describe('inventoryDrift', () => {
  it('names what changed: kernel, IOMMU, driver, and the peer path that follows', () => {
    const port = fn('0000:00:01.0', '1b36:000c', { class: '060400', acsControl: 0 });
    const below = { parents: ['0000:00:01.0'] };
    const before = machine([port, fn('0000:01:00.0', VRAM, below), fn('0000:01:01.0', EDU, below)]);
    const after = {
      ...machine([{ ...port, acsControl: 0x1c }, fn('0000:01:00.0', VRAM, below), fn('0000:01:01.0', EDU, below)]),
      iommu: 'translated' as const,
      kernel: { release: '6.1.0-37', buildId: 'bb', commandLine: 'quiet' },
    };
    expect(inventoryDrift(before, after)).toMatchObject([
      { kind: 'changed', what: 'kernel', before: '6.1.0-35', after: '6.1.0-37' },
      { kind: 'changed', what: 'kernel build' },
      { kind: 'changed', what: 'IOMMU', before: 'none', after: 'translated' },
      { kind: 'changed', what: 'ACS control of PCIe function 1b36:000c at 0000:00:01.0', before: '0x0', after: '0x1c' },
      { kind: 'changed', what: 'peer path 0000:01:00.0 → 0000:01:01.0', before: 'BUS_ADDR, distance 2' },
    ]);
  });

  it('names another mode of a function’s IOMMU group, and nothing where an inventory of before does not tell it', () => {
    const inMode = (more: Partial<PciFunction>) => machine([fn('0000:01:00.0', VRAM, more)]);
    expect(inventoryDrift(inMode({ iommuMode: 'DMA' }), inMode({ iommuMode: 'identity' }))).toMatchObject([
      { kind: 'changed', before: 'DMA', after: 'identity' },
    ]);
    expect(inventoryDrift(inMode({}), inMode({ iommuMode: 'identity' }))).toEqual([]);
  });

  it('a link at rest is no change; one that lost lanes or comes up slower for good is', () => {
    const link = (speed: string, width: number, maxSpeed?: string) =>
      machine([fn('0000:01:00.0', VRAM, { link: { speed, width, ...(maxSpeed === undefined ? {} : { maxSpeed }) } })]);
    const full = link('32.0 GT/s PCIe', 16, '32.0 GT/s PCIe');
    expect(inventoryDrift(full, link('2.5 GT/s PCIe', 16, '32.0 GT/s PCIe'))).toEqual([]);
    // An agent of before read the speed of the moment alone.
    expect(inventoryDrift(link('2.5 GT/s PCIe', 16), full)).toEqual([]);
    expect(inventoryDrift(full, link('32.0 GT/s PCIe', 8, '32.0 GT/s PCIe'))).toMatchObject([
      { after: '32.0 GT/s PCIe ×8' },
    ]);
    expect(inventoryDrift(full, link('16.0 GT/s PCIe', 16, '16.0 GT/s PCIe'))).toHaveLength(1);
  });

  it('follows a card that moved, and tells new ones from those that are gone', () => {
    const before = machine([fn('0000:01:00.0', VRAM), fn('0000:02:00.0', EDU), fn('0000:03:00.0', '8086:1572')]);
    const after = machine([
      fn('0000:05:00.0', EDU, { driver: 'p2pedu' }),
      fn('0000:01:00.0', VRAM),
      fn('0000:03:00.0', '15b3:1017'),
    ]);
    const items = inventoryDrift(before, after).filter(({ what }) => !what.startsWith('peer path'));
    expect(items.map(({ kind, before: old, after: now }) => [kind, old, now])).toEqual([
      ['moved', '0000:02:00.0', '0000:05:00.0'],
      ['changed', 'none', 'p2pedu'],
      ['gone', '0000:03:00.0', null],
      ['new', null, '0000:03:00.0'],
    ]);
  });

  const functions = fc
    .uniqueArray(
      fc.record({
        slot: fc.integer({ min: 0, max: 9 }),
        ids: fc.constantFrom(VRAM, EDU, '8086:1572'),
        driver: fc.constantFrom(null, 'a', 'b'),
      }),
      { selector: ({ slot }) => slot, maxLength: 8 },
    )
    .map((all) => all.map(({ slot, ids, driver }) => fn(`0000:0${slot}:00.0`, ids, { driver })));

  it('finds nothing between equal inventories, in whatever order their functions are', () => {
    fc.assert(
      fc.property(functions, (all) => {
        expect(inventoryDrift(machine(all), machine(all.toReversed()))).toEqual([]);
      }),
    );
  });

  it('read backwards has new for gone, and accounts for every function once', () => {
    fc.assert(
      fc.property(functions, functions, (a, b) => {
        const [there, back] = [inventoryDrift(machine(a), machine(b)), inventoryDrift(machine(b), machine(a))];
        const count = (items: typeof there, kind: string): number =>
          items.filter((item) => item.kind === kind && !item.what.startsWith('peer path')).length;
        expect(count(there, 'new')).toBe(count(back, 'gone'));
        expect(count(there, 'gone')).toBe(count(back, 'new'));
        expect(count(there, 'moved')).toBe(count(back, 'moved'));
        expect(b.length - a.length).toBe(count(there, 'new') - count(there, 'gone'));
      }),
    );
  });
});
