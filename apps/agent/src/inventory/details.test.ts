import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { FIRMWARE_PARTS_MAX, Inventory, MACHINE_UNITS_MAX, RDMA_PORTS_MAX } from '@peerlab/contracts';
import { growthOf } from '@peerlab/contracts/testing';
import { sampleInventory } from '@peerlab/controller/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Session } from '../machine/protocols.js';
import { detailsScript } from './details-script.js';
import { parseDetails, parseMachineUnits, withDetails } from './details.js';
import { openUnitNames } from './units.js';

describe('parseDetails', () => {
  it('reads what the devices of a server tell', () => {
    const text = readFileSync(new URL('./samples/details.txt', import.meta.url), 'utf8');
    expect(Object.fromEntries(parseDetails(text, null))).toEqual({
      '0000:17:00.0': {
        firmware: [
          { part: 'RDMA', version: '28.39.1002' },
          { part: 'board', version: 'MT_0000000838' },
          { part: 'network', version: '28.39.1002 (MT_0000000838)' },
        ],
      },
      '0000:3f:00.0': { firmware: [{ part: 'NVMe', version: 'GDC5602Q' }] },
      '0000:83:00.0': {
        firmware: [{ part: 'VBIOS', version: '113-M3000100-103' }],
        ownMemoryBytes: 206_142_726_144,
      },
      '10000:e1:00.0': { firmware: [{ part: 'NVMe', version: '2.1.4' }] },
      '0000:3b:00.0': {
        firmware: [{ part: 'VBIOS', version: '96.00.74.00.01' }],
        driverVersion: '550.54.15',
        ownMemoryBytes: 81_559 * 1024 ** 2,
      },
      '0000:5e:00.0': { driverVersion: '550.54.15' },
    });
  });

  it('of a machine that says anything is what an inventory may carry', () => {
    const inventory = sampleInventory('BUS_ADDR');
    const [first] = inventory.functions;
    if (first === undefined) throw new Error('no function');
    const many = Array.from({ length: 100 }, (_, at) => `${first.address}|part ${at}\u001b|${'v'.repeat(9000)}`);
    const odd = ['x|RDMA|1', `${first.address}|memory|-1`, `${first.address}|memory|${'9'.repeat(40)}`, '|', '@nvidia'];
    const details = parseDetails([...many, ...odd, 'nonsense', '0000:00:00.0'].join('\n'), null);
    expect([...details.keys()]).toEqual([first.address]);
    expect(details.get(first.address)?.firmware).toHaveLength(FIRMWARE_PARTS_MAX);
    const functions = inventory.functions.map((fn) => ({ ...fn, ...details.get(fn.address) }));
    expect(Inventory.safeParse({ ...inventory, functions }).success).toBe(true);
  });

  it('tells specimens of a model apart by digests, and has no number in plain', () => {
    const lines = [
      '0000:17:00.0|number-GUID|0200:5eff:fe00:5301',
      '0000:17:00.0|number-device|02-00-5e-ff-ff-00-53-01',
      '0000:18:00.0|number-GUID|0000:0000:0000:0000',
      '@nvidia',
      '00000000:3B:00.0, 96.00, 550.54, 81559, GPU-00000000-1111-2222-3333-444444444444',
    ];
    const folder = mkdtempSync(join(tmpdir(), 'units-'));
    const read = (text: string) => parseDetails(text, openUnitNames(folder));
    const found = read(lines.join('\n'));
    expect(found.get('0000:17:00.0')?.units).toEqual([
      { part: 'GUID', digest: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{32}$/) as string },
      { part: 'device', digest: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{32}$/) as string },
    ]);
    expect(found.get('0000:18:00.0')).toBeUndefined();
    expect(found.get('0000:3b:00.0')?.units).toHaveLength(1);
    expect(JSON.stringify([...found])).not.toMatch(/5eff|5e-ff|1111-2222/);
    // The salt is kept: another reading says the same, another card another thing, another agent what nobody can compare.
    expect(read(lines.join('\n'))).toEqual(found);
    const other = read(lines.join('\n').replace('5301', '5302'));
    expect(other.get('0000:17:00.0')?.units?.[0]).not.toEqual(found.get('0000:17:00.0')?.units?.[0]);
    expect(statSync(join(folder, 'inventory-salt')).mode & 0o077).toBe(0);
    rmSync(join(folder, 'inventory-salt'));
    const saltOf = (details: typeof found) => details.get('0000:17:00.0')?.units?.[0]?.digest.split('-')[0];
    expect(saltOf(read(lines.join('\n')))).not.toBe(saltOf(found));
    expect(parseDetails(lines.join('\n'), null).get('0000:17:00.0')).toBeUndefined();
    rmSync(folder, { recursive: true });
  });

  it('takes time in proportion to the text', async () => {
    const growth = await growthOf(
      (size) => '0000:17:00.0|RDMA|1\n'.repeat(size / 20),
      (text) => parseDetails(text, null),
    );
    expect(growth.perDoubling, JSON.stringify(growth)).toBeLessThan(3);
  });
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'details-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function put(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text, { mode });
}
const tool = (name: string, body: string): void => put(`bin/${name}`, `#!/bin/sh\n${body}\n`, 0o755);
const read = (): string => {
  const command = detailsScript(join(folder, 'devices'), join(folder, 'nvidia'), join(folder, 'dmi'));
  const env = { PATH: `${folder}/bin:/usr/bin:/bin` };
  const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', command], { env, encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
};

describe('what reads them', () => {
  it('says nothing of a machine without any of it, and asks no program of a driver that is not loaded', () => {
    put('devices/0000:00:00.0/vendor', '0x8086\n');
    tool('nvidia-smi', `touch ${folder}/asked; exit 0`);
    expect(read()).toBe('@nvidia\n');
    expect(() => readFileSync(join(folder, 'asked'))).toThrow('ENOENT');
  });

  it('reads sysfs and asks the programs that there are; one that fails costs its own answer', () => {
    put('devices/0000:17:00.0/infiniband/mlx5_0/fw_ver', '28.39.1002\n');
    put('devices/0000:17:00.0/infiniband/mlx5_0/board_id', 'MT_0000000838\n');
    put('devices/0000:17:00.0/infiniband/mlx5_0/node_guid', '0200:5eff:fe00:5301\n');
    put('devices/0000:17:00.0/net/ens1/address', '00:00:5e:00:53:01\n');
    put('devices/0000:17:00.1/net/ens2/address', '00:00:5e:00:53:02\n');
    put('devices/0000:17:00.2/physfn', '');
    put('devices/0000:17:00.2/net/ens1v0/address', '00:00:5e:00:53:03\n');
    put('devices/0000:83:00.0/vbios_version', '113-M3000100-103\n');
    put('devices/0000:83:00.0/mem_info_vram_total', '206142726144\n');
    tool(
      'ethtool',
      '[ "$2" = ens1 ] || { echo "Cannot get driver information" >&2; exit 71; }; printf "driver: mlx5_core\\nversion: 7.3\\nfirmware-version: 28.39.1002 (MT_0000000838)\\nbus-info: x\\n"',
    );
    tool('nvidia-smi', 'echo "No devices were found"; exit 6');
    put('nvidia', '');
    const text = read();
    expect(text.split('\n')).toEqual([
      '0000:17:00.0|RDMA|28.39.1002',
      '0000:17:00.0|board|MT_0000000838',
      '0000:17:00.0|number-GUID|0200:5eff:fe00:5301',
      '0000:17:00.0|network|28.39.1002 (MT_0000000838)',
      '0000:83:00.0|VBIOS|113-M3000100-103',
      '0000:83:00.0|memory|206142726144',
      '@nvidia',
      'No devices were found',
      '',
    ]);
    expect(parseDetails(text, null).size).toBe(2);
  });
});

describe('what is no function of a machine', () => {
  const DIMM = (place: string, bank: string, serial: string): string =>
    `Handle 0x0042, DMI type 17, 92 bytes\nMemory Device\n\tSize: 32 GB\n\tLocator: ${place}\n\tBank Locator: ${bank}\n\tSerial Number: ${serial}\n\tAsset Tag: x\n\tPart Number: M393A4K40DB3-CWE    \n`;

  it('has digests of its board and memory modules, and none of what is no serial number', () => {
    put('dmi/board_serial', 'BOARD-4711\n');
    const dump = [
      DIMM('DIMM 0', 'P0 CHANNEL A', '80CE0123'),
      DIMM('DIMM 1', 'P0 CHANNEL A', 'Unknown'),
      DIMM('DIMM 0', 'P0 CHANNEL B', '00000000'),
    ];
    put('dump', `# dmidecode 3.4\n\n${dump.join('\n')}`);
    tool('dmidecode', `[ "$*" = '-t 17' ] && cat ${folder}/dump`);
    const text = read();
    expect(text.split('\n')[0]).toBe('machine|number-board|BOARD-4711');
    expect(parseDetails(text, null).size).toBe(0);
    expect(parseMachineUnits(text, null)).toEqual([]);
    const units = parseMachineUnits(text, openUnitNames(join(folder, 'state')));
    expect(units.map(({ part }) => part)).toEqual(['board', 'memory module P0 CHANNEL A DIMM 0']);
    expect(JSON.stringify(units)).not.toMatch(/4711|80CE/);
    put('dmi/board_serial', 'To be filled by O.E.M.\n');
    tool('dmidecode', 'echo "# No SMBIOS nor DMI entry point found, sorry."');
    expect(parseMachineUnits(read(), openUnitNames(join(folder, 'state')))).toEqual([]);
  });

  it('is nothing of one that says anything', () => {
    const names = openUnitNames(join(folder, 'state'));
    const many = Array.from(
      { length: 1000 },
      (_, at) => `machine|number-slot ${at}\u001b|${at + 1}${'9'.repeat(5000)}`,
    );
    const units = parseMachineUnits(many.join('\n'), names);
    expect(Inventory.safeParse({ ...sampleInventory('BUS_ADDR'), units }).success).toBe(true);
    expect(units).toHaveLength(MACHINE_UNITS_MAX);
  });
});

describe('the ports of an RDMA device', () => {
  const ports = 'devices/0000:17:00.0/infiniband/mlx5_0/ports';
  const reads = (text: string) => parseDetails(text, null).get('0000:17:00.0')?.ports;

  it('are told with their state, and its flash where there is mstflint', () => {
    for (const [part, value] of Object.entries({
      state: '4: ACTIVE',
      phys_state: '5: LinkUp',
      rate: '100 Gb/sec (4X EDR)',
      link_layer: 'Ethernet',
    }))
      put(`${ports}/1/${part}`, `${value}\n`);
    put(`${ports}/2/state`, '1: DOWN\n');
    tool(
      'mstflint',
      `[ "$*" = '-d 0000:17:00.0 q' ] && printf 'Image type:            FS4\\nFW Version:            28.40.1000\\nFW Version(Running):   28.39.1002\\nBase GUID:             0123456789abcdef        4\\n'`,
    );
    const text = read();
    expect(text).not.toContain('0123456789abcdef');
    expect(reads(text)).toEqual([
      {
        device: 'mlx5_0',
        port: 1,
        state: 'ACTIVE',
        physicalState: 'LinkUp',
        rate: '100 Gb/sec (4X EDR)',
        linkLayer: 'Ethernet',
      },
      { device: 'mlx5_0', port: 2, state: 'DOWN', physicalState: '', rate: '', linkLayer: '' },
    ]);
    expect(parseDetails(text, null).get('0000:17:00.0')?.firmware).toEqual([{ part: 'flash', version: '28.40.1000' }]);
  });

  it('of a machine that says anything are what an inventory may carry', () => {
    const lines = ['0000:17:00.0|port-a/0|x', '0000:17:00.0|port-a/999|x', 'x|port-a/1|x', '0000:17:00.0|port-|x'];
    expect(reads(lines.join('\n'))).toBeUndefined();
    const many = Array.from({ length: 100 }, (_, at) => `0000:17:00.0|port-d${at}\u001b/1|${'s'.repeat(9000)}`);
    expect(reads(many.join('\n'))).toHaveLength(RDMA_PORTS_MAX);
  });
});

it('an inventory whose details cannot be read stays as it is', async () => {
  const inventory = sampleInventory('BUS_ADDR');
  const failing = { exec: () => Promise.reject(new Error('it is slow')) } as unknown as Session;
  expect(await withDetails(inventory, failing, null)).toBe(inventory);
  const stopped = AbortSignal.abort(new Error('stopped'));
  await expect(withDetails(inventory, failing, null, stopped)).rejects.toThrow('stopped');
});
