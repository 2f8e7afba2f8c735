import type { PciFunction } from '../schema/inventory.js';

export type DeviceRole = 'provider' | 'client';

interface KnownDevice {
  role: DeviceRole;
  /** vendor id, and device id or base class; first match wins. */
  vendor: string;
  device?: string;
  classPrefix?: string;
  model: (fn: PciFunction) => string;
}

const byIds = (prefix: string) => (fn: PciFunction) => `${prefix} ${fn.vendor}:${fn.device}`;

/** Which PCI functions can lend memory (providers) and which can do DMA to it (clients). */
const KNOWN: readonly KnownDevice[] = [
  { role: 'provider', vendor: '1af4', device: '1110', model: () => 'QEMU ivshmem' },
  { role: 'client', vendor: '1234', device: '11e8', model: () => 'QEMU edu' },
  { role: 'provider', vendor: '10de', classPrefix: '03', model: byIds('NVIDIA GPU') },
  { role: 'provider', vendor: '1002', classPrefix: '03', model: byIds('AMD GPU') },
  { role: 'provider', vendor: '8086', device: '56a0', model: byIds('Intel GPU') },
  { role: 'client', vendor: '15b3', classPrefix: '02', model: byIds('NVIDIA ConnectX') },
  { role: 'client', vendor: '14e4', classPrefix: '02', model: byIds('Broadcom NIC') },
  { role: 'client', vendor: '8086', device: '1592', model: byIds('Intel E810') },
];

/** Role and model name of a function, or null when the farm has no use for it. */
export function recogniseDevice(fn: PciFunction): { role: DeviceRole; model: string } | null {
  for (const known of KNOWN) {
    if (known.vendor !== fn.vendor) continue;
    if (known.device !== undefined && known.device !== fn.device) continue;
    if (known.classPrefix !== undefined && !fn.class.startsWith(known.classPrefix)) continue;
    return { role: known.role, model: known.model(fn) };
  }
  return null;
}
