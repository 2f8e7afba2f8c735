import { createHash } from 'node:crypto';
import type { Accelerator } from './accelerator.js';
import { PLACEMENTS, type Placement, type Topology } from './placement.js';

/** What the machine's IOMMU does under its kernel arguments; `none` = it has none. */
export type IommuMode = 'none' | 'translated' | 'passthrough';

/**
 * What the machine's clocks count: `host` = the host's time; `instructions` = one nanosecond for each
 * instruction that it executes, so that a measurement is the same number on every host and under any load.
 */
export type Clock = 'host' | 'instructions';

/** What makes a machine behave like a real server: firmware, disk, network card and service processor. */
export interface ServerHardware {
  /** Folder below rootfs/servers that its disk image is built from. */
  image: string;
  /** What that image boots by, and what makes its initramfs; undefined = GRUB, and initramfs-tools. */
  boot?: 'systemd-boot';
  initramfs?: 'dracut';
  /** Its firmware boots what Microsoft, Debian or the lab signed, and nothing else. */
  secureBoot?: true;
}

/** Loopback ports of the host that a server takes besides that of SSH. */
export interface ServerPorts {
  /** IPMI over LAN of its BMC (UDP). */
  ipmi: number;
  /** Where its BMC meets QEMU. */
  bmc: number;
  /** Where its BMC takes its serial console. */
  console: number;
}

/** One machine of the virtual lab, as data: everything else follows from it. */
export interface MachineDefinition {
  name: string;
  description: string;
  /** QEMU CPU model. Its vendor decides whether the kernel trusts peer traffic through the host bridge. */
  cpuModel: string;
  topology: Topology;
  iommu: IommuMode;
  clock: Clock;
  /** Added to the command line of every kernel that boots here, default or under test. */
  kernelArguments: readonly string[];
  labels: Record<string, string>;
  cpus: number;
  memoryMiB: number;
  /** Size of each provider's device memory (ivshmem BAR2); a power of two. */
  deviceMemoryMiB: number;
  /** Brought up when no machines are named. */
  inDefaultSet: boolean;
  /** undefined = a plain virtual machine: BIOS, virtio, power by QEMU. */
  server?: ServerHardware;
  /** The other machine of a pair, and which of the two this is; undefined = it is alone. */
  pair?: { with: string; number: 1 | 2 };
}

/** Files and sockets of one machine; absolute paths. */
export interface MachinePaths {
  dir: string;
  /** Image with the machine's identity; never written to once it is made. */
  disk: string;
  /** What the machine has written since it was last given a fresh disk: a qcow2 overlay over `disk`. */
  overlay: string;
  /** What an attempt did to the overlay; see disk-overlay.ts. */
  diskState: string;
  /** Memory of the first provider; see `deviceMemoryFiles`. */
  deviceMemory: string;
  consoleLog: string;
  emulatorLog: string;
  processFile: string;
  /** QMP for the agent's power driver. QEMU serves one client per socket, so the lab has its own. */
  powerSocket: string;
  labSocket: string;
  consoleSocket: string;
  /** Where the QEMU of a server brings its serial line; the lab listens there. */
  serialSocket: string;
  /** What the UEFI firmware of a server remembers. */
  firmwareVariables: string;
  /** Files of a server's BMC. */
  bmcDir: string;
  /** This machine's end of the network of its pair. */
  pairSocket: string;
  /** That of another machine of the same lab. */
  pairSocketOf: (name: string) => string;
}

/** A value inside a QEMU option list: a comma ends it unless doubled. */
function value(text: string): string {
  return text.replaceAll(',', ',,');
}

/** Backing files of the providers, one each; the first is the agent's oracle. */
export function deviceMemoryFiles(machine: MachineDefinition, paths: MachinePaths): string[] {
  return PLACEMENTS[machine.topology].providers.map((_, index) =>
    index === 0 ? paths.deviceMemory : `${paths.deviceMemory}${index}`,
  );
}

function peerDevices(machine: MachineDefinition, paths: MachinePaths): [string, string][] {
  const placement: Placement = PLACEMENTS[machine.topology];
  const memory = (index: number): string => (index === 0 ? 'vram' : `vram${index}`);
  return [
    ...deviceMemoryFiles(machine, paths).map((file, index): [string, string] => [
      '-object',
      `memory-backend-file,id=${memory(index)},share=on,size=${machine.deviceMemoryMiB}M,mem-path=${value(file)}`,
    ]),
    ...placement.bridges.map((bridge): [string, string] => ['-device', bridge]),
    ...placement.providers.map((bus, index): [string, string] => [
      '-device',
      `ivshmem-plain,memdev=${memory(index)},bus=${bus}`,
    ]),
    // Without the mask edu silently clamps addresses and writes into low memory.
    ...placement.clients.map((bus): [string, string] => ['-device', `edu,dma_mask=0xffffffffffffffff,bus=${bus}`]),
  ];
}

/** MAC address of one side of a pair; the image leaves devices with such an address alone (05-peer.network). */
export const pairAddress = (number: 1 | 2): string => `52:54:00:70:00:0${number}`;

/**
 * The network of a pair: datagrams between two sockets of the host, so that either machine may start again by itself, and
 * candidates reach each other and nothing else.
 */
function pairDevices({ pair }: MachineDefinition, paths: MachinePaths): [string, string][] {
  if (pair === undefined) return [];
  const [own, other] = [paths.pairSocket, paths.pairSocketOf(pair.with)].map(value);
  return [
    ['-netdev', `dgram,id=pair,local.type=unix,local.path=${own},remote.type=unix,remote.path=${other}`],
    ['-device', `virtio-net-pci,netdev=pair,romfile=,mac=${pairAddress(pair.number)}`],
  ];
}

const listen = '127.0.0.1';

/** Firmware and service processor of a server. */
function serverDevices(server: ServerHardware, paths: MachinePaths, ports: ServerPorts): string[][] {
  return [
    // The system writes to the memory of the firmware by asking it, in system management mode: what Secure Boot rests on.
    // Without S3, as EDK II asks for it then.
    ...(server.secureBoot === true
      ? [
          ['-global', 'driver=cfi.pflash01,property=secure,value=on'],
          ['-global', 'ICH9-LPC.disable_s3=1'],
        ]
      : []),
    ['-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${firmwareOf(server).code}`],
    ['-drive', `if=pflash,unit=1,format=raw,file=${value(paths.firmwareVariables)}`],
    ['-chardev', `socket,id=ipmi,host=${listen},port=${ports.bmc},reconnect=1`],
    ['-device', 'ipmi-bmc-extern,id=bmc0,chardev=ipmi'],
    ['-device', 'isa-ipmi-kcs,bmc=bmc0'],
  ];
}

/** UEFI of the Debian package ovmf, and what its memory begins with: nothing, or the keys that servers are sold with. */
export function firmwareOf({ secureBoot }: ServerHardware): { code: string; variables: string } {
  const [code, variables] = secureBoot === true ? ['.secboot', '.ms'] : ['', ''];
  return { code: `/usr/share/OVMF/OVMF_CODE_4M${code}.fd`, variables: `/usr/share/OVMF/OVMF_VARS_4M${variables}.fd` };
}

/** A stable identity for a machine of that name, so that inventories compare over restarts. */
function uuidOf(name: string): string {
  const hex = createHash('sha256').update(`peerlab machine ${name}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/**
 * The complete argument list of qemu-system-x86_64 for a machine.
 * @param sshPort loopback port of the host that leads to the machine's port 22
 * @param ports those of a server; null for a plain machine
 */
export function qemuArguments(
  machine: MachineDefinition,
  paths: MachinePaths,
  accelerator: Accelerator,
  sshPort: number,
  ports: ServerPorts | null = null,
): string[] {
  // Translated code takes up to 1 GiB by default, on top of the machine's memory; a quarter holds all that runs.
  const counted = machine.clock === 'instructions';
  const translated = counted ? 'tcg,thread=single,tb-size=256' : 'tcg,thread=multi,tb-size=256';
  const acceleration = accelerator === 'kvm' && !counted ? 'kvm' : translated;
  return [
    ['-name', `peerlab-${machine.name}`],
    ['-uuid', uuidOf(machine.name)],
    ['-nodefaults'],
    ['-no-user-config'],
    ['-display', 'none'],
    ['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny'],
    ['-accel', acceleration],
    // While the guest is idle its clock follows the host's, so that timeouts of network peers still hold.
    // Its measurements mean something else, so it is another platform: their results must not be mixed.
    ...(counted
      ? [
          ['-icount', 'shift=0,sleep=on'],
          ['-smbios', 'type=1,manufacturer=QEMU,product=Q35 counting instructions'],
        ]
      : []),
    ['-machine', machine.server?.secureBoot === true ? 'q35,vmport=off,smm=on' : 'q35,vmport=off'],
    ['-cpu', machine.cpuModel],
    ['-smp', String(machine.cpus)],
    ['-m', `${machine.memoryMiB}M`],
    // Must come before all devices. Interrupts are not remapped: that needs machine options that are not set here.
    ...(machine.iommu === 'none' ? [] : [['-device', 'intel-iommu,intremap=off']]),
    ['-boot', 'menu=off,strict=on'],
    // The host's page cache outlives QEMU, so ignoring flushes costs nothing but a host crash.
    ['-drive', `if=none,id=disk,format=qcow2,cache=unsafe,discard=unmap,file=${value(paths.overlay)}`],
    [
      '-device',
      ports === null ? 'virtio-blk-pci,drive=disk,bootindex=0' : `nvme,drive=disk,serial=${machine.name},bootindex=0`,
    ],
    // restrict: kernels under test reach nothing, only the forwarded port leads in.
    ['-netdev', `user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:${sshPort}-:22`],
    ['-device', ports === null ? 'virtio-net-pci,netdev=net,romfile=' : 'e1000e,netdev=net,romfile='],
    ...pairDevices(machine, paths),
    ['-device', 'virtio-rng-pci'],
    ['-device', 'i6300esb'],
    ['-action', 'watchdog=reset'],
    // QEMU writes the log itself, so that no byte is lost while no client is connected.
    [
      '-chardev',
      // A server's line ends at its BMC, which outlives QEMU.
      `socket,id=console,${ports === null ? `server=on,wait=off,path=${value(paths.consoleSocket)}` : `reconnect=1,path=${value(paths.serialSocket)}`},logfile=${value(paths.consoleLog)},logappend=on`,
    ],
    ['-serial', 'chardev:console'],
    ...(machine.server === undefined || ports === null ? [] : serverDevices(machine.server, paths, ports)),
    ['-qmp', `unix:${value(paths.powerSocket)},server=on,wait=off`],
    ['-qmp', `unix:${value(paths.labSocket)},server=on,wait=off`],
    ...peerDevices(machine, paths),
  ].flat();
}
