import type { MachineDefinition } from './definition.js';

/**
 * Machines that behave like real servers: UEFI, NVMe, a network card with a predictable name, a BMC, Debian's own kernel
 * with its initramfs. The farm reaches them by what a real server has: SSH, IPMI and serial over LAN. `set` keeps
 * them out of the matrix of the plain machines.
 */
const common = {
  // Without -svm the guest would load a hypervisor of its own.
  cpuModel: 'EPYC,-svm',
  topology: 'switch',
  iommu: 'none',
  clock: 'host',
  // The default kernel of the image has what an emulated machine needs.
  kernelArguments: [],
  cpus: 1,
  memoryMiB: 2048,
  deviceMemoryMiB: 256,
  inDefaultSet: false,
} as const;

const labels = (set: string, topology = 'switch', cpu = 'amd', iommu = 'none'): Record<string, string> => ({
  lab: 'virtual',
  arch: 'x86_64',
  topology,
  cpu,
  iommu,
  clock: 'host',
  set,
});

export const SERVERS: readonly MachineDefinition[] = [
  {
    ...common,
    name: 's-uefi',
    description: 'Virtual server: UEFI, root on LVM on NVMe, initramfs-tools, GRUB, a BMC with serial over LAN',
    labels: labels('server'),
    server: { image: 's-uefi' },
  },
  {
    ...common,
    name: 's-two-sockets',
    description:
      'Virtual server: as s-uefi, with two host bridges, provider and client below a switch of each, and an IOMMU that passes through',
    // The kernel trusts no host bridge of this one: from socket to socket there is no path.
    cpuModel: 'Skylake-Client-v4',
    topology: 'two-sockets',
    // By the command line of the image; to a server without an IOMMU it says nothing.
    iommu: 'passthrough',
    labels: labels('two-sockets', 'two-sockets', 'intel', 'passthrough'),
    server: { image: 's-uefi' },
  },
  {
    ...common,
    name: 's-secure',
    description: "Virtual server: UEFI with Secure Boot and the lab's certificate, shim, GRUB, root on NVMe, a BMC",
    labels: labels('secure'),
    server: { image: 's-secure', secureBoot: true },
  },
  {
    ...common,
    name: 's-dracut',
    description:
      'Virtual server: UEFI, root on a subvolume of btrfs on NVMe, dracut, systemd-boot, a BMC with serial over LAN',
    labels: labels('server-dracut'),
    server: { image: 's-dracut', boot: 'systemd-boot', initramfs: 'dracut' },
  },
];
