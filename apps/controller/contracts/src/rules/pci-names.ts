import type { PciFunction } from '../schema/inventory.js';

/**
 * Names of the vendors and devices that this farm's labs have, from pci.ids of 2023-04-10 (https://pci-ids.ucw.cz; by
 * Albert Pool, Martin Mares and others; 3-clause BSD licence). An agent whose machine has the whole file sends the names
 * itself. QEMU's `edu`, display and vendor number 1234 are not in that file.
 */
const VENDORS: Readonly<Record<string, string>> = {
  '1000': 'Broadcom / LSI',
  '1002': 'Advanced Micro Devices, Inc. [AMD/ATI]',
  '1022': 'Advanced Micro Devices, Inc. [AMD]',
  '104c': 'Texas Instruments',
  '10b5': 'PLX Technology, Inc.',
  '10de': 'NVIDIA Corporation',
  '10ee': 'Xilinx Corporation',
  '11f8': 'PMC-Sierra Inc.',
  '1234': 'QEMU',
  '144d': 'Samsung Electronics Co Ltd',
  '14e4': 'Broadcom Inc. and subsidiaries',
  '15b3': 'Mellanox Technologies',
  '1af4': 'Red Hat, Inc.',
  '1b36': 'Red Hat, Inc.',
  '1dd8': 'AMD Pensando Systems',
  '8086': 'Intel Corporation',
};

const DEVICES: Readonly<Record<string, string>> = {
  '104c:8232': 'XIO3130 PCI Express Switch (Upstream)',
  '104c:8233': 'XIO3130 PCI Express Switch (Downstream)',
  '10de:2330': 'GH100[H100 SXM5 80GB]',
  '1234:1111': 'standard VGA',
  '1234:11e8': 'edu',
  '15b3:1017': 'MT27800 Family [ConnectX-5]',
  '15b3:101b': 'MT28908 Family [ConnectX-6]',
  '15b3:101d': 'MT2892 Family [ConnectX-6 Dx]',
  '15b3:1021': 'MT2910 Family [ConnectX-7]',
  '1af4:1000': 'Virtio network device',
  '1af4:1001': 'Virtio block device',
  '1af4:1002': 'Virtio memory balloon',
  '1af4:1003': 'Virtio console',
  '1af4:1004': 'Virtio SCSI',
  '1af4:1005': 'Virtio RNG',
  '1af4:1041': 'Virtio 1.0 network device',
  '1af4:1042': 'Virtio 1.0 block device',
  '1af4:1043': 'Virtio 1.0 console',
  '1af4:1044': 'Virtio 1.0 RNG',
  '1af4:1048': 'Virtio 1.0 SCSI',
  '1af4:1110': 'Inter-VM shared memory',
  '1b36:0001': 'QEMU PCI-PCI bridge',
  '1b36:000b': 'QEMU PCIe Expander bridge',
  '1b36:000c': 'QEMU PCIe Root port',
  '1b36:000d': 'QEMU XHCI Host Controller',
  '8086:1592': 'Ethernet Controller E810-C for QSFP',
  '8086:25ab': '6300ESB Watchdog Timer',
  '8086:2918': '82801IB (ICH9) LPC Interface Controller',
  '8086:2922': '82801IR/IO/IH (ICH9R/DO/DH) 6 port SATA Controller [AHCI mode]',
  '8086:2930': '82801I (ICH9 Family) SMBus Controller',
  '8086:29c0': '82G33/G31/P35/P31 Express DRAM Controller',
  '8086:56a0': 'DG2 [Arc A770]',
};

/** Vendor and device of a function in words, as its agent named them or as the table does; null where neither does. */
export function pciNames({ vendor, device, names }: Pick<PciFunction, 'vendor' | 'device' | 'names'>): {
  vendor: string | null;
  device: string | null;
} {
  return {
    vendor: names?.vendor ?? VENDORS[vendor] ?? null,
    device: names?.device ?? DEVICES[`${vendor}:${device}`] ?? null,
  };
}

/** `Texas Instruments XIO3130 PCI Express Switch (Upstream)`; an empty text where no name is known. */
export function pciNameText(fn: Pick<PciFunction, 'vendor' | 'device' | 'names'>): string {
  const { vendor, device } = pciNames(fn);
  return [vendor, device].filter((name) => name !== null).join(' ');
}
