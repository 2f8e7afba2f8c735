import { recogniseDevice } from './devices.js';
import type { DriftItem } from '../schema/inventory-history.js';
import type { Inventory, PciFunction } from '../schema/inventory.js';
import { peerPaths } from './peer-paths.js';

/**
 * What is different in `after`. A function is the same one when its ids are the same, first at the same
 * address, then at another one: bus numbers move. Peer paths are compared by the address of their ends.
 * Pure; two equal inventories differ in nothing.
 */
export function inventoryDrift(before: Inventory, after: Inventory): DriftItem[] {
  return [
    ...machineDrift(before, after),
    ...functionDrift(before.functions, after.functions),
    ...pathDrift(before, after),
  ];
}

function machineDrift(before: Inventory, after: Inventory): DriftItem[] {
  const told = ({ kernel, cpu, system, iommu, memoryBytes }: Inventory): [string, string][] => [
    ['kernel', kernel.release],
    ['kernel build', kernel.buildId],
    ['command line', kernel.commandLine],
    ['IOMMU', iommu],
    ['CPU', `${cpu.count} × ${cpu.name} (${cpu.vendor} family ${cpu.family} model ${cpu.model})`],
    // What the kernel keeps for itself differs a little from boot to boot.
    ['memory', `${(memoryBytes / 2 ** 30).toFixed(1)} GiB`],
    ['board', `${system.vendor} ${system.product} ${system.board}`],
    ['firmware', system.firmware],
  ];
  const now = new Map(told(after));
  return told(before).flatMap(([what, value]) => changed(what, value, now.get(what) ?? ''));
}

const changed = (what: string, before: string, after: string): DriftItem[] =>
  before === after ? [] : [{ kind: 'changed', what, before, after }];

const idsOf = (fn: PciFunction): string => [fn.vendor, fn.device, fn.subsystem ?? '', fn.class, fn.revision].join(':');

function functionDrift(before: readonly PciFunction[], after: readonly PciFunction[]): DriftItem[] {
  const items: DriftItem[] = [];
  const left = new Map(after.map((fn) => [fn.address, fn]));
  const unmatched: PciFunction[] = [];
  for (const fn of before) {
    const now = left.get(fn.address);
    if (now === undefined || idsOf(now) !== idsOf(fn)) {
      unmatched.push(fn);
      continue;
    }
    left.delete(fn.address);
    items.push(...sameFunctionDrift(fn, now));
  }
  for (const fn of unmatched) {
    const now = [...left.values()].find((each) => idsOf(each) === idsOf(fn));
    if (now === undefined) {
      items.push({ kind: 'gone', what: nameOf(fn), before: fn.address, after: null });
      continue;
    }
    left.delete(now.address);
    items.push({ kind: 'moved', what: nameOf(fn), before: fn.address, after: now.address });
    items.push(...sameFunctionDrift(fn, now));
  }
  for (const fn of left.values()) items.push({ kind: 'new', what: nameOf(fn), before: null, after: fn.address });
  return items;
}

function nameOf(fn: PciFunction): string {
  return `${recogniseDevice(fn)?.model ?? 'PCIe function'} ${fn.vendor}:${fn.device}`;
}

function sameFunctionDrift(before: PciFunction, after: PciFunction): DriftItem[] {
  // The speed of the moment says how busy a link is; inventories of before have no other.
  const linkOf = ({ link }: PciFunction): string =>
    link === null
      ? 'none'
      : before.link?.maxSpeed === undefined || after.link?.maxSpeed === undefined
        ? `×${link.width}`
        : `${link.maxSpeed ?? ''} ×${link.width}`;
  const told = (fn: PciFunction): [string, string][] => [
    ['place', fn.parents.length === 0 ? 'root bus' : fn.parents.join(' › ')],
    ['driver', fn.driver ?? 'none'],
    ['link', linkOf(fn)],
    ['ACS control', fn.acsControl === null ? 'none' : `0x${fn.acsControl.toString(16)}`],
    ['IOMMU group', fn.iommuGroup ?? 'none'],
    // Inventories of before do not tell it.
    ['IOMMU mode', before.iommuMode === undefined || after.iommuMode === undefined ? '' : (fn.iommuMode ?? 'none')],
    ['NUMA node', fn.numaNode === null ? 'none' : String(fn.numaNode)],
    ['BAR sizes', fn.barSizesBytes.map((size) => (size === 0 ? '–' : String(size))).join(' ')],
  ];
  const now = new Map(told(after));
  return told(before).flatMap(([what, value]) =>
    changed(`${what} of ${nameOf(after)} at ${after.address}`, value, now.get(what) ?? ''),
  );
}

function pathDrift(before: Inventory, after: Inventory): DriftItem[] {
  const told = (inventory: Inventory): Map<string, string> =>
    new Map(
      peerPaths(inventory).map(({ provider, client, kind, distance }) => [
        `peer path ${provider.address} → ${client.address}`,
        distance === null ? kind : `${kind}, distance ${distance}`,
      ]),
    );
  const [old, now] = [told(before), told(after)];
  return [
    ...[...old].flatMap(([what, value]): DriftItem[] => {
      const next = now.get(what);
      return next === undefined ? [{ kind: 'gone', what, before: value, after: null }] : changed(what, value, next);
    }),
    ...[...now].flatMap(([what, value]): DriftItem[] =>
      old.has(what) ? [] : [{ kind: 'new', what, before: null, after: value }],
    ),
  ];
}
