import { createHash } from 'node:crypto';
import {
  canonicalJson,
  combinationLabel,
  combinationOf,
  peerPaths,
  type Combination,
  type Inventory,
  type MachineView,
  type PciFunction,
} from '@peerlab/contracts';

/** Three machines like those of the virtual lab, with every derived fact derived by the contracts. */

const BASE: PciFunction = {
  address: '0000:00:00.0',
  vendor: '8086',
  device: '29c0',
  subsystem: '1af4:1100',
  class: '060000',
  revision: '00',
  parents: [],
  driver: null,
  link: null,
  numaNode: null,
  acsControl: null,
  iommuGroup: null,
  barSizesBytes: [0, 0, 0, 0, 0, 0],
};
const port = (address: string, ids: string, parents: string[] = []): PciFunction => {
  const [vendor = '', device = ''] = ids.split(':');
  return {
    ...BASE,
    address,
    vendor,
    device,
    class: '060400',
    parents,
    driver: 'pcieport',
    link: { speed: '16.0 GT/s', width: 32 },
    acsControl: 0,
  };
};
const ivshmem = (address: string, parents: string[]): PciFunction => ({
  ...BASE,
  address,
  vendor: '1af4',
  device: '1110',
  class: '050000',
  revision: '01',
  parents,
  driver: 'p2pvram',
  barSizesBytes: [256, 4096, 268_435_456, 0, 0, 0],
});
const edu = (address: string, parents: string[]): PciFunction => ({
  ...BASE,
  address,
  vendor: '1234',
  device: '11e8',
  class: '00ff00',
  revision: '10',
  parents,
  driver: 'p2pedu',
  barSizesBytes: [1_048_576, 0, 0, 0, 0, 0],
});
const CHIPSET: PciFunction[] = [
  BASE,
  { ...BASE, address: '0000:00:1f.0', device: '2918', class: '060100', revision: '02', driver: 'lpc_ich' },
  { ...BASE, address: '0000:00:1f.2', device: '2922', class: '010601', revision: '02', driver: 'ahci' },
  { ...BASE, address: '0000:00:1f.3', device: '2930', class: '0c0500', revision: '02', driver: 'i801_smbus' },
  { ...BASE, address: '0000:00:02.0', vendor: '1af4', device: '1041', class: '020000', driver: 'virtio-pci' },
];
const RP = '1b36:000c';
const SWITCH: PciFunction[] = [
  ...CHIPSET,
  port('0000:00:03.0', RP),
  port('0000:01:00.0', '104c:8232', ['0000:00:03.0']),
  port('0000:02:00.0', '104c:8233', ['0000:00:03.0', '0000:01:00.0']),
  port('0000:02:01.0', '104c:8233', ['0000:00:03.0', '0000:01:00.0']),
  ivshmem('0000:03:00.0', ['0000:00:03.0', '0000:01:00.0', '0000:02:00.0']),
  edu('0000:04:00.0', ['0000:00:03.0', '0000:01:00.0', '0000:02:01.0']),
];
const ROOTS: PciFunction[] = [
  ...CHIPSET,
  port('0000:00:03.0', RP),
  port('0000:00:04.0', RP),
  ivshmem('0000:01:00.0', ['0000:00:03.0']),
  edu('0000:02:00.0', ['0000:00:04.0']),
];
const AMD = { vendor: 'AuthenticAMD', family: 0x17, model: 1, name: 'AMD EPYC Processor', count: 2 };
const INTEL = { vendor: 'GenuineIntel', family: 6, model: 94, name: 'Intel Core Processor (Skylake, IBRS)', count: 2 };

function inventory(cpu: Inventory['cpu'], functions: PciFunction[]): Inventory {
  return {
    cpu,
    memoryBytes: 1024 ** 3,
    system: { vendor: 'QEMU', product: 'Standard PC (Q35 + ICH9, 2009)', board: 'none', firmware: 'SeaBIOS 1.16.2' },
    iommu: 'none',
    kernel: {
      release: '6.1.0-37-cloud-amd64',
      buildId: '6d3a1f0c9b27e8854a10',
      commandLine: 'BOOT_IMAGE=/boot/vmlinuz-6.1.0-37-cloud-amd64 root=UUID=… console=ttyS0,115200',
    },
    functions,
  };
}

export function sha256(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}

function machine(name: string, description: string, topology: string, read: Inventory): MachineView {
  return {
    name,
    site: 'virtual',
    agent: 'lab-1',
    description,
    labels: { arch: 'x86_64', topology, cpu: read.cpu.vendor === 'AuthenticAMD' ? 'amd' : 'intel' },
    desired: 'active',
    desiredBy: null,
    observed: 'online',
    problem: null,
    lastSeenAt: new Date().toISOString(),
    lease: null,
    unproven: null,
    configured: true,
    inventory: read,
    checks: {
      at: new Date().toISOString(),
      list: [
        { name: 'account', verdict: 'pass', detail: 'the key logs in as root', remedy: null },
        { name: 'console', verdict: 'pass', detail: 'it is recorded', remedy: null },
        {
          name: 'upgrades',
          verdict: 'warn',
          detail:
            'unattended-upgrades.service may replace the default kernel while a job runs, which puts the machine into quarantine',
          remedy:
            'systemctl disable --now unattended-upgrades.service, and upgrade by hand while the machine is in maintenance',
        },
      ],
    },
    checkRuns: [
      {
        at: '2026-11-30T09:30:00.000Z',
        by: 'alice',
        acted: true,
        list: [
          {
            name: 'console-echo',
            verdict: 'pass',
            detail: 'a line of its log was on the console after 2 s',
            remedy: null,
          },
          { name: 'power-cycle', verdict: 'pass', detail: 'it answered 61 s after a power cycle', remedy: null },
          {
            name: 'fallback',
            verdict: 'fail',
            detail: 'after a crash the machine booted the candidate again <img src=x onerror="window.planted=1">',
            remedy: 'look at the selection of the boot loader: it is not cleared at boot',
          },
        ],
      },
    ],
    paths: peerPaths(read).map((path) => {
      const identity = combinationOf(read, path);
      const iommuModes = { provider: 'DMA-FQ', client: 'identity' };
      return {
        ...path,
        iommuModes,
        combination: { hash: sha256(identity), label: combinationLabel(identity), identity },
      };
    }),
  };
}

export function sampleMachines(): MachineView[] {
  return [
    machine('v-switch', 'provider and client below one PCIe switch', 'switch', inventory(AMD, SWITCH)),
    machine('v-amd-roots', 'separate root ports, AMD CPU model', 'roots', inventory(AMD, ROOTS)),
    machine('v-intel-roots', 'separate root ports, Intel CPU model', 'roots', inventory(INTEL, ROOTS)),
  ];
}

/** The combination of a machine's first peer path. */
export function combinationOfMachine(view: MachineView): Combination {
  const path = view.paths[0];
  if (path === undefined) throw new Error(`${view.name} has no peer path`);
  return path.combination;
}
