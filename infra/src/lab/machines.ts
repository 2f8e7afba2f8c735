import type { MachineDefinition } from './definition.js';
import { SERVERS } from './servers.js';

/** Without -svm the guest would load a hypervisor of its own. */
const AMD = 'EPYC,-svm';
const INTEL = 'Skylake-Client-v4';

/**
 * The kernel counts timer interrupts at boot and panics when too few arrive, which happens on an emulator with a busy
 * host. Under a hypervisor that it knows it skips this check by itself.
 */
const EMULATED = 'no_timer_check';

/** Two vCPUs are not faster under emulation. KASAN and lock debugging need the second GiB. */
const common = {
  cpus: 1,
  memoryMiB: 2048,
  deviceMemoryMiB: 256,
  iommu: 'none',
  clock: 'host',
  kernelArguments: [EMULATED],
} as const;

/**
 * `set` tells machines that must show right data from the negative control; on those with `upstream` the
 * kernel's own tests run, on those with `soak` the soak test, on those with `debug` a debug kernel, too.
 */
function labels(topology: string, cpu: 'amd' | 'intel', more: Record<string, string> = {}): Record<string, string> {
  return { lab: 'virtual', arch: 'x86_64', topology, cpu, iommu: 'none', clock: 'host', set: 'matrix', ...more };
}

/**
 * The lab's machines. The SSH port follows from the position, so append new ones. The default set covers the three
 * path kinds that the kernel distinguishes; the others vary how it arrives at them.
 */
export const MACHINES: readonly MachineDefinition[] = [
  {
    ...common,
    name: 'v-switch',
    description: 'Virtual: provider and client below one PCIe switch (peer traffic by bus address)',
    cpuModel: AMD,
    topology: 'switch',
    labels: labels('switch', 'amd', { upstream: 'yes', soak: 'yes', debug: 'yes' }),
    inDefaultSet: true,
  },
  {
    ...common,
    name: 'v-amd-roots',
    description: 'Virtual: provider and client on separate root ports of an AMD machine (through the host bridge)',
    cpuModel: AMD,
    topology: 'root-ports',
    labels: labels('root-ports', 'amd'),
    inDefaultSet: true,
  },
  {
    ...common,
    name: 'v-intel-roots',
    description: 'Virtual: separate root ports of an Intel machine that the kernel does not trust (peer path refused)',
    cpuModel: INTEL,
    topology: 'root-ports',
    labels: labels('root-ports', 'intel', { debug: 'yes' }),
    inDefaultSet: true,
  },
  {
    ...common,
    name: 'v-bridge',
    description: 'Virtual: provider and client behind one PCIe-to-PCI bridge; memory set aside for coherent devices',
    cpuModel: INTEL,
    topology: 'pci-bridge',
    // The RAM that test_hmm takes for its two coherent devices.
    kernelArguments: [EMULATED, 'memmap=512M$0x40000000'],
    labels: labels('pci-bridge', 'intel', { upstream: 'yes', coherent: 'yes' }),
    inDefaultSet: false,
  },
  {
    ...common,
    name: 'v-bus0',
    description: 'Virtual: provider and client on the root bus of an Intel machine (peer path refused)',
    cpuModel: INTEL,
    topology: 'root-bus',
    labels: labels('root-bus', 'intel'),
    inDefaultSet: false,
  },
  {
    ...common,
    name: 'v-two-providers',
    description: 'Virtual: two providers and the client below one PCIe switch',
    cpuModel: AMD,
    topology: 'switch-two-providers',
    labels: labels('switch-two-providers', 'amd'),
    inDefaultSet: false,
  },
  {
    ...common,
    name: 'v-mixed',
    description: 'Virtual: first provider below the client’s switch, second on an Intel root port (refused)',
    cpuModel: INTEL,
    topology: 'mixed',
    labels: labels('mixed', 'intel', { soak: 'yes' }),
    inDefaultSet: false,
  },
  {
    ...common,
    name: 'v-amd-roots-iommu',
    description: 'Virtual: separate root ports of an AMD machine, addresses translated by an IOMMU',
    cpuModel: AMD,
    topology: 'root-ports',
    iommu: 'translated',
    kernelArguments: [EMULATED, 'intel_iommu=on'],
    labels: labels('root-ports', 'amd', { iommu: 'translated', soak: 'yes', debug: 'yes' }),
    inDefaultSet: false,
  },
  {
    ...common,
    name: 'v-amd-roots-pt',
    description: 'Virtual: separate root ports of an AMD machine, an IOMMU that passes addresses through',
    cpuModel: AMD,
    topology: 'root-ports',
    iommu: 'passthrough',
    kernelArguments: [EMULATED, 'intel_iommu=on', 'iommu=pt'],
    labels: labels('root-ports', 'amd', { iommu: 'passthrough' }),
    inDefaultSet: false,
  },
  {
    ...common,
    name: 'v-switch-pt',
    description: 'Virtual: one PCIe switch, an IOMMU that passes addresses through',
    cpuModel: AMD,
    topology: 'switch',
    iommu: 'passthrough',
    kernelArguments: [EMULATED, 'intel_iommu=on', 'iommu=pt'],
    labels: labels('switch', 'amd', { iommu: 'passthrough' }),
    inDefaultSet: false,
  },
  {
    ...common,
    name: 'v-switch-iommu',
    description:
      'Virtual, negative control: one PCIe switch and a translating IOMMU, where QEMU moves wrong data and reports success',
    cpuModel: AMD,
    topology: 'switch',
    iommu: 'translated',
    kernelArguments: [EMULATED, 'intel_iommu=on'],
    labels: labels('switch', 'amd', { iommu: 'translated', set: 'negative-control' }),
    inDefaultSet: false,
  },
  {
    ...common,
    name: 'v-high-bar',
    description: 'Virtual: one PCIe switch, a provider whose 8 GiB BAR lies above 4 GiB',
    cpuModel: AMD,
    topology: 'switch',
    // Sparse on the host; larger than any hole below 4 GiB.
    deviceMemoryMiB: 8192,
    labels: labels('switch', 'amd', { bar: 'above-4g' }),
    inDefaultSet: false,
  },
  {
    ...common,
    name: 'v-switch-counted',
    description: 'Virtual, for measurements: as v-switch, its clock counts instructions',
    cpuModel: AMD,
    topology: 'switch',
    clock: 'instructions',
    labels: labels('switch', 'amd', { clock: 'instructions' }),
    inDefaultSet: false,
  },
  {
    ...common,
    name: 'v-amd-roots-counted',
    description: 'Virtual, for measurements: as v-amd-roots, its clock counts instructions',
    cpuModel: AMD,
    topology: 'root-ports',
    clock: 'instructions',
    labels: labels('root-ports', 'amd', { clock: 'instructions' }),
    inDefaultSet: false,
  },
  {
    ...common,
    name: 'v-intel-roots-counted',
    description: 'Virtual, for measurements: as v-intel-roots, its clock counts instructions',
    cpuModel: INTEL,
    topology: 'root-ports',
    clock: 'instructions',
    labels: labels('root-ports', 'intel', { clock: 'instructions' }),
    inDefaultSet: false,
  },
  {
    ...common,
    name: 'v-amd-roots-iommu-counted',
    description: 'Virtual, for measurements: as v-amd-roots-iommu, its clock counts instructions',
    cpuModel: AMD,
    topology: 'root-ports',
    iommu: 'translated',
    kernelArguments: [EMULATED, 'intel_iommu=on'],
    clock: 'instructions',
    labels: labels('root-ports', 'amd', { iommu: 'translated', clock: 'instructions' }),
    inDefaultSet: false,
  },
  ...([1, 2] as const).map(
    (number): MachineDefinition => ({
      ...common,
      name: `v-pair-${number === 1 ? 'a' : 'b'}`,
      description: `Virtual: as v-switch, with a network to v-pair-${number === 1 ? 'b' : 'a'} that leads nowhere else`,
      cpuModel: AMD,
      topology: 'switch',
      // A set of its own: alone each is one more v-switch.
      labels: labels('switch', 'amd', { set: 'pair', pair: 'v-pair' }),
      inDefaultSet: false,
      pair: { with: `v-pair-${number === 1 ? 'b' : 'a'}`, number },
    }),
  ),
  ...SERVERS,
];

/**
 * Machines by a list of names; empty = the default set, `all` = every one but the servers, which take minutes to boot.
 * @returns in the order of their definition, or the name that does not exist
 */
export function chooseMachines(names: readonly string[]): readonly MachineDefinition[] | { unknown: string } {
  if (names.length === 0) return MACHINES.filter((machine) => machine.inDefaultSet);
  if (names.includes('all'))
    return MACHINES.filter((machine) => machine.server === undefined || names.includes(machine.name));
  const unknown = names.find((name) => !MACHINES.some((machine) => machine.name === name));
  return unknown === undefined ? MACHINES.filter((machine) => names.includes(machine.name)) : { unknown };
}
