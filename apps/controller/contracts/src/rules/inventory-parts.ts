import type { Inventory, PciFunction } from '../schema/inventory.js';

/**
 * What a machine is made of: equal for two machines of the same models in the same places, whatever runs on them. Numbers of
 * specimens are not part of it, nor are bus numbers, which move, and virtual functions, which a driver makes. Pure, and in one order.
 */
export function hardwareOf({ cpu, memoryBytes, system, functions }: Inventory): unknown {
  const at = new Map(functions.map((fn) => [fn.address, fn]));
  const placeOf = (fn: PciFunction): string[] =>
    fn.parents.map((address) => `${modelOf(at.get(address))} ${slotOf(address)}`);
  return {
    cpu,
    // What the kernel keeps for itself differs a little from boot to boot.
    memoryGiB: Math.round(memoryBytes / 2 ** 30),
    system: { vendor: system.vendor, product: system.product, board: system.board },
    functions: functions
      .filter(({ physicalFunction }) => physicalFunction === undefined)
      .map((fn) => JSON.stringify([modelOf(fn), slotOf(fn.address), placeOf(fn)]))
      .toSorted(),
  };
}

/**
 * What may be otherwise after the next boot or update of the same hardware: kernel, firmware, IOMMU, drivers, links and BARs. Without what
 * says how busy the machine is at the moment (the speed of a link at rest, the state of a port). Pure, and in one order.
 */
export function stateOf({ kernel, iommu, system, functions }: Inventory): unknown {
  return {
    kernel,
    iommu,
    firmware: system.firmware,
    functions: functions
      .map((fn) =>
        JSON.stringify([
          fn.address,
          fn.driver,
          fn.driverVersion ?? null,
          fn.link === null ? null : [fn.link.width, fn.link.maxSpeed ?? null],
          fn.acsControl,
          fn.iommuGroup,
          fn.iommuMode ?? null,
          fn.numaNode,
          fn.barSizesBytes,
          fn.ownMemoryBytes ?? null,
          fn.firmware ?? null,
        ]),
      )
      .toSorted(),
  };
}

/** Device and function of an address. */
const slotOf = (address: string): string => address.slice(address.lastIndexOf(':') + 1);

const modelOf = (fn: PciFunction | undefined): string =>
  fn === undefined ? '' : [fn.vendor, fn.device, fn.subsystem ?? '', fn.class, fn.revision].join(':');
