import { createHash } from 'node:crypto';
import type { Accelerator } from './accelerator.js';

/** Where provider and client sit on the PCIe bus of a virtual machine. */
export type Topology = 'switch' | 'root-ports';

/** One machine of the virtual lab, as data: everything else follows from it. */
export interface MachineDefinition {
  name: string;
  description: string;
  /** QEMU CPU model. Its vendor decides whether the kernel trusts peer traffic through the host bridge. */
  cpuModel: string;
  topology: Topology;
  labels: Record<string, string>;
  cpus: number;
  memoryMiB: number;
  /** Size of the provider's device memory (ivshmem BAR2); a power of two. */
  deviceMemoryMiB: number;
}

const common = { cpus: 1, memoryMiB: 1024, deviceMemoryMiB: 256 };

/** The lab's machines: one for each path kind that matters. */
export const MACHINES: readonly MachineDefinition[] = [
  {
    ...common,
    name: 'v-switch',
    description: 'Virtual: provider and client below one PCIe switch (peer traffic by bus address)',
    // Without -svm the guest would load a hypervisor of its own.
    cpuModel: 'EPYC,-svm',
    topology: 'switch',
    labels: { lab: 'virtual', arch: 'x86_64', topology: 'switch', cpu: 'amd' },
  },
  {
    ...common,
    name: 'v-amd-roots',
    description: 'Virtual: provider and client on separate root ports of an AMD machine (through the host bridge)',
    cpuModel: 'EPYC,-svm',
    topology: 'root-ports',
    labels: { lab: 'virtual', arch: 'x86_64', topology: 'root-ports', cpu: 'amd' },
  },
  {
    ...common,
    name: 'v-intel-roots',
    description: 'Virtual: separate root ports of an Intel machine that the kernel does not trust (peer path refused)',
    cpuModel: 'Skylake-Client-v4',
    topology: 'root-ports',
    labels: { lab: 'virtual', arch: 'x86_64', topology: 'root-ports', cpu: 'intel' },
  },
];

/** Files and sockets of one machine; absolute paths. */
export interface MachinePaths {
  dir: string;
  disk: string;
  deviceMemory: string;
  consoleLog: string;
  emulatorLog: string;
  processFile: string;
  /** QMP for the agent's power driver. QEMU serves one client per socket, so the lab has its own. */
  powerSocket: string;
  labSocket: string;
  consoleSocket: string;
}

/** A value inside a QEMU option list: a comma ends it unless doubled. */
function value(text: string): string {
  return text.replaceAll(',', ',,');
}

const PEER_DEVICES: Record<Topology, readonly [string, string][]> = {
  switch: [
    ['-device', 'pcie-root-port,id=rp0,chassis=1,slot=1'],
    ['-device', 'x3130-upstream,id=up0,bus=rp0'],
    ['-device', 'xio3130-downstream,id=provider,bus=up0,chassis=2,slot=0'],
    ['-device', 'xio3130-downstream,id=client,bus=up0,chassis=2,slot=1'],
  ],
  'root-ports': [
    ['-device', 'pcie-root-port,id=provider,chassis=1,slot=1'],
    ['-device', 'pcie-root-port,id=client,chassis=2,slot=2'],
  ],
};

/** A stable identity for a machine of that name, so that inventories compare over restarts. */
function uuidOf(name: string): string {
  const hex = createHash('sha256').update(`peerlab machine ${name}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/**
 * The complete argument list of qemu-system-x86_64 for a machine.
 * @param sshPort loopback port of the host that leads to the machine's port 22
 */
export function qemuArguments(
  machine: MachineDefinition,
  paths: MachinePaths,
  accelerator: Accelerator,
  sshPort: number,
): string[] {
  const acceleration = accelerator === 'kvm' ? 'kvm' : 'tcg,thread=multi';
  return [
    ['-name', `peerlab-${machine.name}`],
    ['-uuid', uuidOf(machine.name)],
    ['-nodefaults'],
    ['-no-user-config'],
    ['-display', 'none'],
    ['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny'],
    ['-accel', acceleration],
    ['-machine', 'q35,vmport=off'],
    ['-cpu', machine.cpuModel],
    ['-smp', String(machine.cpus)],
    ['-m', `${machine.memoryMiB}M`],
    ['-boot', 'menu=off,strict=on'],
    // The host's page cache outlives QEMU, so ignoring flushes costs nothing but a host crash.
    ['-drive', `if=none,id=disk,format=raw,cache=unsafe,discard=unmap,file=${value(paths.disk)}`],
    ['-device', 'virtio-blk-pci,drive=disk,bootindex=0'],
    // restrict: kernels under test reach nothing, only the forwarded port leads in.
    ['-netdev', `user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:${sshPort}-:22`],
    ['-device', 'virtio-net-pci,netdev=net,romfile='],
    ['-device', 'virtio-rng-pci'],
    ['-device', 'i6300esb'],
    ['-action', 'watchdog=reset'],
    // QEMU itself writes the log, so that no byte is lost while nobody listens.
    [
      '-chardev',
      `socket,id=console,server=on,wait=off,path=${value(paths.consoleSocket)},logfile=${value(paths.consoleLog)},logappend=on`,
    ],
    ['-serial', 'chardev:console'],
    ['-qmp', `unix:${value(paths.powerSocket)},server=on,wait=off`],
    ['-qmp', `unix:${value(paths.labSocket)},server=on,wait=off`],
    [
      '-object',
      `memory-backend-file,id=vram,share=on,size=${machine.deviceMemoryMiB}M,mem-path=${value(paths.deviceMemory)}`,
    ],
    ...PEER_DEVICES[machine.topology],
    ['-device', 'ivshmem-plain,memdev=vram,bus=provider'],
    // Without the mask edu silently clamps addresses and writes into low memory.
    ['-device', 'edu,dma_mask=0xffffffffffffffff,bus=client'],
  ].flat();
}
