import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { INVENTORY_TEXT_MAX, peerPaths } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';
import { acsControlOf, parseConfigSpace, parseInventory, pcieTypeOf } from './parse.js';

const sample = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`./samples/${name}.txt`, import.meta.url)), 'utf8');

describe('parseInventory', () => {
  const inventory = parseInventory(sample('v-switch'));

  it('reads a recorded machine', () => {
    expect(inventory.cpu).toEqual({
      vendor: 'AuthenticAMD',
      family: 23,
      model: 1,
      name: 'AMD EPYC Processor',
      count: 1,
    });
    expect(inventory.memoryBytes).toBe(996_612 * 1024);
    expect(inventory.system).toMatchObject({ vendor: 'QEMU', product: 'Standard PC (Q35 + ICH9, 2009)' });
    expect(inventory.iommu).toBe('none');
    expect(inventory.kernel.release).toBe('6.1.0-56-cloud-amd64');
    expect(inventory.kernel.buildId).toBe('3b43fad5034874490492495d552c0af6a5fab235');
    expect(inventory.functions).toHaveLength(14);
  });

  it('of a machine that says anything is as small as any other', () => {
    const long = sample('v-switch')
      .replace(/model name.*/, `model name : ${'n'.repeat(9_000_000)}`)
      .replace(/sys_vendor=.*/, `sys_vendor=${'\u0000\u001b[31m'.repeat(1e5)}`)
      .replace(/^(\/.*\|)8 GT\/s PCIe\|/gm, `$1${'s'.repeat(1e5)}|`);
    const read = parseInventory(long);
    expect(Buffer.byteLength(JSON.stringify(read))).toBeLessThan(1e6);
    expect(read.cpu.name).toHaveLength(INVENTORY_TEXT_MAX);
    // eslint-disable-next-line no-control-regex
    expect(JSON.stringify(read)).not.toMatch(/[\u0000-\u001f]|\\u00/);
  });

  it('is refused in a few words when it is not whole, and when functions would be missing', () => {
    expect(() => parseInventory('x'.repeat(1e6))).toThrow(/^the machine's inventory is not whole: .{1,300}$/);
    const line =
      sample('v-switch')
        .split('\n')
        .find((each) => each.startsWith('/')) ?? '';
    const many = sample('v-switch').replace(line, Array(5000).fill(line).join('\n'));
    expect(() => parseInventory(many)).toThrow(/shows \d+ PCI functions, an inventory holds 4096/);
  });

  it('has no size of a BAR that no register can hold', () => {
    const odd = sample('v-switch').replace(/0x[0-9a-f]+-0x[0-9a-f]+/g, `0x0-0x${'f'.repeat(5000)}`);
    expect(
      parseInventory(odd)
        .functions.flatMap((fn) => fn.barSizesBytes)
        .every((size) => size === 0),
    ).toBe(true);
  });

  it('knows the way from the root port down to each function, and the sizes of its BARs', () => {
    const provider = inventory.functions.find((fn) => fn.device === '1110');
    expect(provider).toMatchObject({
      address: '0000:03:00.0',
      vendor: '1af4',
      subsystem: '1af4:1100',
      class: '050000',
      parents: ['0000:00:05.0', '0000:01:00.0', '0000:02:00.0'],
      driver: null,
    });
    expect(provider?.barSizesBytes).toEqual([256, 0, 256 * 1024 * 1024, 0, 0, 0]);
    const port = inventory.functions.find((fn) => fn.address === '0000:00:05.0');
    expect(port).toMatchObject({ driver: 'pcieport', acsControl: 0, link: { speed: '2.5 GT/s PCIe', width: 1 } });
  });

  it('knows what is a root port, and what newer scripts read of a function', () => {
    const types = Object.fromEntries(inventory.functions.map((each) => [each.address, each.pcieType]));
    expect(types).toMatchObject({
      '0000:00:05.0': 'root-port',
      '0000:01:00.0': 'upstream',
      '0000:02:00.0': 'downstream',
    });
    expect(
      inventory.functions.every((each) => each.rdmaDevices === undefined && each.link?.maxSpeed === undefined),
    ).toBe(true);
    const newer = parseInventory(
      sample('v-switch').replace(
        /^(\/.*0000:03:00\.0\|.*)$/m,
        '$1|16.0 GT/s PCIe| mlx5_0 mlx5_1|0000:02:00.1|management|DMA-FQ',
      ),
    );
    expect(newer.functions.find(({ address }) => address === '0000:03:00.0')).toMatchObject({
      rdmaDevices: ['mlx5_0', 'mlx5_1'],
      physicalFunction: '0000:02:00.1',
      management: true,
      iommuMode: 'DMA-FQ',
    });
    const ungrouped = parseInventory(sample('v-switch').replace(/^(\/.*0000:03:00\.0\|.*)$/m, '$1|||||'));
    expect(ungrouped.functions.find(({ address }) => address === '0000:03:00.0')?.iommuMode).toBeNull();
    expect(inventory.functions.every(({ iommuMode }) => iommuMode === undefined)).toBe(true);
  });

  it('leads to the path that the kernel takes', () => {
    expect(peerPaths(inventory)).toMatchObject([{ kind: 'BUS_ADDR', distance: 4 }]);
  });

  it('says what is missing instead of inventing it', () => {
    expect(() => parseInventory('@kernel\n6.1\n')).toThrow(/family/);
  });
});

describe('configuration space', () => {
  it('finds the ACS control register behind another capability, and survives loops', () => {
    const config = Buffer.alloc(4096);
    config.writeUInt32LE((0x140 << 20) | (1 << 16) | 0x0001, 0x100);
    config.writeUInt32LE((0x100 << 20) | (1 << 16) | 0x000d, 0x140);
    config.writeUInt16LE(0x1d, 0x146);
    expect(acsControlOf(config)).toBe(0x1d);
    config.writeUInt32LE((0x100 << 20) | (1 << 16) | 0x0002, 0x140);
    expect(acsControlOf(config)).toBeNull();
    expect(acsControlOf(Buffer.alloc(64))).toBeNull();
    expect(acsControlOf(undefined)).toBeNull();
  });

  it('finds the kind of a PCIe device behind other capabilities, and survives loops', () => {
    const config = Buffer.alloc(256);
    config[0x34] = 0x40;
    config.writeUInt16LE(0x5005, 0x40);
    config.writeUInt16LE(0x0010, 0x50);
    config.writeUInt16LE(0x0042, 0x52);
    expect(pcieTypeOf(config)).toBe('root-port');
    config.writeUInt16LE(0x4005, 0x50);
    expect(pcieTypeOf(config)).toBeNull();
    expect(pcieTypeOf(Buffer.alloc(256))).toBeNull();
    expect(pcieTypeOf(Buffer.alloc(16))).toBeUndefined();
  });

  it('is a line for each function, and no other line', () => {
    const spaces = parseConfigSpace([
      '0000:00:00.0 86 80 c0',
      '10000:e1:00.0 01 02 ff',
      '0000:00:02.0 1 02',
      'nonsense 00',
      '',
    ]);
    expect([...spaces].map(([address, bytes]) => [address, [...bytes]])).toEqual([
      ['0000:00:00.0', [0x86, 0x80, 0xc0]],
      ['10000:e1:00.0', [1, 2, 0xff]],
    ]);
  });
});

it('names functions as lspci of the machine does, where it knows them', () => {
  const lines = [
    '0000:03:00.0 "RAM memory" "Red Hat, Inc." "Inter-VM shared memory" -r01 -p00 "Red Hat, Inc." "QEMU Virtual Machine"',
    '0000:02:00.0 "PCI bridge" "Texas Instruments" "Device 8233" -r01 "" ""',
    '0000:01:00.0 "Class 00ff" "Vendor 1234" "Device 11e8"',
    'pcilib: Cannot open "/proc/bus/pci"',
  ];
  const inventory = parseInventory(`${sample('v-switch')}@names\n${lines.join('\n')}\n`);
  const named = inventory.functions.filter(({ names }) => names !== undefined);
  expect(named.map(({ address, names }) => [address, names?.vendor, names?.device])).toEqual([
    ['0000:02:00.0', 'Texas Instruments', null],
    ['0000:03:00.0', 'Red Hat, Inc.', 'Inter-VM shared memory'],
  ]);
});
