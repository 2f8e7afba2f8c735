import type { PciFunction } from '../schema/inventory.js';

export type DeviceRole = 'provider' | 'client';

interface KnownDevice {
  role: DeviceRole;
  /** vendor id, and device id or base classes; first match wins. */
  vendor: string;
  device?: string;
  classes?: readonly string[];
  /** Only where it has an RDMA device, by agents that know: the same vendor makes NICs without RDMA. */
  needsRdma?: true;
  model: (fn: PciFunction) => string;
}

const byIds = (prefix: string) => (fn: PciFunction) => `${prefix} ${fn.vendor}:${fn.device}`;

/** Base classes of GPUs: display controllers, and processing accelerators, which have no display. */
const GPU = ['03', '12'];
const NIC = ['02'];

/** Which PCI functions can lend memory (providers) and which can do DMA to it (clients). */
const KNOWN: readonly KnownDevice[] = [
  { role: 'provider', vendor: '1af4', device: '1110', model: () => 'QEMU ivshmem' },
  { role: 'client', vendor: '1234', device: '11e8', model: () => 'QEMU edu' },
  { role: 'provider', vendor: '10de', classes: GPU, model: byIds('NVIDIA GPU') },
  { role: 'provider', vendor: '1002', classes: GPU, model: byIds('AMD GPU') },
  { role: 'provider', vendor: '8086', classes: GPU, model: byIds('Intel GPU') },
  { role: 'client', vendor: '15b3', classes: NIC, needsRdma: true, model: byIds('NVIDIA ConnectX') },
  { role: 'client', vendor: '14e4', classes: NIC, needsRdma: true, model: byIds('Broadcom NIC') },
  { role: 'client', vendor: '8086', device: '1592', needsRdma: true, model: byIds('Intel E810') },
];

/**
 * Role and model name of a function, or null when the farm has no use for it. A client is any function with an RDMA device;
 * what an agent of before, which reads none, reports goes by its class. A virtual function is part of its physical one,
 * and the NIC that the agent needs to reach the machine is never under test.
 */
export function recogniseDevice(fn: PciFunction): { role: DeviceRole; model: string } | null {
  if (fn.physicalFunction !== undefined || fn.management === true) return null;
  const known = KNOWN.find(
    ({ vendor, device, classes }) =>
      vendor === fn.vendor &&
      (device === undefined || device === fn.device) &&
      (classes === undefined || classes.some((prefix) => fn.class.startsWith(prefix))),
  );
  const hasRdma = fn.rdmaDevices === undefined ? null : fn.rdmaDevices.length > 0;
  if (known === undefined) return hasRdma === true ? { role: 'client', model: byIds('RDMA NIC')(fn) } : null;
  if (known.needsRdma === true && hasRdma === false) return null;
  return { role: known.role, model: known.model(fn) };
}
