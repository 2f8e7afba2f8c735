import type { MachineDefinition } from './definition.js';

/**
 * Machines that behave like real servers: UEFI, NVMe, a network card with a predictable name, a BMC, Debian's own kernel
 * with its initramfs. The farm reaches them by what a real server has: SSH, IPMI and serial over LAN. `set` keeps
 * them out of the matrix of the plain machines.
 */
export const SERVERS: readonly MachineDefinition[] = [
  {
    name: 's-uefi',
    description: 'Virtual server: UEFI, root on LVM on NVMe, initramfs-tools, GRUB, a BMC with serial over LAN',
    // Without -svm the guest would load a hypervisor of its own.
    cpuModel: 'EPYC,-svm',
    topology: 'switch',
    iommu: 'none',
    clock: 'host',
    // The image's own grub.cfg has what an emulated machine needs.
    kernelArguments: [],
    labels: {
      lab: 'virtual',
      arch: 'x86_64',
      topology: 'switch',
      cpu: 'amd',
      iommu: 'none',
      clock: 'host',
      set: 'server',
    },
    cpus: 1,
    memoryMiB: 2048,
    deviceMemoryMiB: 256,
    inDefaultSet: false,
    server: { image: 's-uefi' },
  },
];
