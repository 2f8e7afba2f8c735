import { type CrashKind } from '../kind.js';

/**
 * What the IOMMU, PCIe and the DMA API report about devices; there is no title of syzkaller's for them but the one of
 * unregister_netdevice. Names and addresses of devices are left out, so that titles repeat. An error of PCIe that was not
 * corrected is a hardware alarm as well (rules/hardware): a wrong address of the kernel under test looks like a broken
 * link, and a test beside it is no plain pass. Kernel sources: drivers/iommu/intel/dmar.c, drivers/iommu/amd/iommu.c,
 * drivers/pci/pcie/aer.c and dpc.c, kernel/dma/debug.c.
 */
export const DEVICES: readonly CrashKind[] = [
  {
    type: 'dma-fault',
    severity: 'warning',
    has: 'DMAR: [',
    header: /^DMAR: \[(DMA|INTR-REMAP|DMA [A-Za-z]{1,16})(?: [A-Z_]{1,20})?(?: 0x[0-9a-f]{1,8})?\]/,
    title: 'DMAR: {h1} fault',
    stackless: true,
    aside: true,
  },
  {
    type: 'dma-fault',
    severity: 'warning',
    has: 'AMD-Vi: Event logged',
    header: /^AMD-Vi: Event logged(?: \[([A-Z_]{1,40}))?/,
    title: 'AMD-Vi: {h1} fault',
    stackless: true,
    aside: true,
  },
  {
    type: 'dma-fault',
    severity: 'warning',
    has: 'arm-smmu',
    header: /^arm-smmu[^ ]{0,60}: (Unhandled context fault|event 0x[0-9a-f]{1,4} received)/,
    title: 'arm-smmu: {h1}',
    stackless: true,
    aside: true,
  },
  {
    type: 'pcie-error',
    severity: 'warning',
    has: 'AER: ',
    header: /^AER: (?:Multiple )?((?:Uncorrected|Uncorrectable)(?: \([A-Za-z -]{1,20}\))?) [eE]rror/,
    title: 'AER: {h1} error',
    stackless: true,
    aside: true,
  },
  {
    type: 'pcie-error',
    severity: 'warning',
    has: 'PCIe Bus Error: ',
    header: /^PCIe Bus Error: severity=((?:Uncorrected|Uncorrectable)(?: \([A-Za-z -]{1,20}\))?)/,
    title: 'AER: {h1} error',
    stackless: true,
    aside: true,
  },
  {
    type: 'pcie-error',
    severity: 'warning',
    has: 'DPC: containment event',
    header: /^DPC: containment event/,
    title: 'DPC: containment event',
    stackless: true,
    aside: true,
  },
  {
    type: 'dma-api',
    severity: 'warning',
    has: 'DMA-API: ',
    header: /^DMA-API: .{0,200}?(device driver [a-zA-Z ]{1,120})/,
    title: 'DMA-API: {h1}',
    stackless: true,
    aside: true,
  },
  {
    type: 'netdev',
    severity: 'warning',
    has: 'unregister_netdevice: waiting for',
    header: /^unregister_netdevice: waiting for .{1,64} to become free/,
    title: 'unregister_netdevice: waiting for DEV to become free',
    stackless: true,
    aside: true,
  },
];
