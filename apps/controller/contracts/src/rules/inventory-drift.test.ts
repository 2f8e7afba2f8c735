import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inventoryDrift, tellsMore } from './inventory-drift.js';
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

  it('names another firmware, driver or memory of its own, and nothing where one of the two does not tell it', () => {
    const told = (more: Partial<PciFunction>) => machine([fn('0000:01:00.0', '15b3:1021', more)]);
    const firmware = (version: string) => ({ firmware: [{ part: 'RDMA', version }] });
    expect(inventoryDrift(told(firmware('28.39.1002')), told(firmware('28.43.1014')))).toEqual([
      {
        kind: 'changed',
        what: 'firmware (RDMA) of PCIe function 15b3:1021 at 0000:01:00.0',
        before: '28.39.1002',
        after: '28.43.1014',
      },
    ]);
    const gpu = { driverVersion: '550.54.15', ownMemoryBytes: 2 ** 36 };
    expect(inventoryDrift(told(gpu), told({ driverVersion: '560.1', ownMemoryBytes: 2 ** 35 }))).toHaveLength(2);
    for (const more of [firmware('1'), gpu, { iommuMode: 'DMA' }]) {
      expect(inventoryDrift(told({}), told(more))).toEqual([]);
      expect(inventoryDrift(told(more), told({}))).toEqual([]);
      expect(tellsMore(told({}), told(more))).toBe(true);
      expect(tellsMore(told(more), told({}))).toBe(false);
      expect(tellsMore(told(more), told(more))).toBe(false);
    }
  });

  it('notices a card that was exchanged for another of the same model, by digests of one salt', () => {
    const told = (...digests: string[]) =>
      machine([fn('0000:01:00.0', '15b3:1021', { units: digests.map((digest, at) => ({ part: `${at}`, digest })) })]);
    const [first, second] = ['a'.repeat(32), 'b'.repeat(32)];
    expect(inventoryDrift(told(`11111111-${first}`), told(`11111111-${second}`))).toEqual([
      {
        kind: 'changed',
        what: 'card PCIe function 15b3:1021 at 0000:01:00.0',
        before: 'this one',
        after: 'exchanged for another of the same model',
      },
    ]);
    // One number more or less, and another salt, say nothing; what is compared with next has them.
    const more = told(`11111111-${first}`, `11111111-${second}`);
    expect(inventoryDrift(told(`11111111-${first}`), more)).toEqual([]);
    expect(inventoryDrift(more, told(`11111111-${first}`))).toEqual([]);
    expect(inventoryDrift(told(`11111111-${first}`), told(`22222222-${first}`))).toEqual([]);
    expect(tellsMore(told(`11111111-${first}`), more)).toBe(true);
    expect(tellsMore(told(`11111111-${first}`), told(`22222222-${first}`))).toBe(true);
    expect(tellsMore(more, told(`11111111-${first}`))).toBe(false);
  });

  it('notices a board and a memory module that were exchanged; how a port stands is no change', () => {
    const told = (...digests: string[]) => ({
      ...machine([]),
      units: digests.map((digest, at) => ({ part: `memory module DIMM_A${at}`, digest: `11111111-${digest}` })),
    });
    const [first, second] = ['a'.repeat(32), 'b'.repeat(32)];
    expect(inventoryDrift(told(first, first), told(first, second))).toEqual([
      { kind: 'changed', what: 'memory module DIMM_A1', before: 'this one', after: 'exchanged for another' },
    ]);
    expect(inventoryDrift(told(first, first), told(first))).toEqual([]);
    expect(inventoryDrift(machine([]), told(first))).toEqual([]);
    expect([tellsMore(machine([]), told(first)), tellsMore(told(first), machine([]))]).toEqual([true, false]);
    const port = { device: 'mlx5_0', port: 1, physicalState: 'LinkUp', rate: '100 Gb/sec', linkLayer: 'Ethernet' };
    const standing = (state: string) => machine([fn('0000:01:00.0', '15b3:1021', { ports: [{ ...port, state }] })]);
    expect(inventoryDrift(standing('ACTIVE'), standing('DOWN'))).toEqual([]);
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
