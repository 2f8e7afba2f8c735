import { recogniseDevice } from './devices.js';
import type { DriftItem } from '../schema/inventory-history.js';
import type { Inventory, PciFunction, Unit } from '../schema/inventory.js';
import { peerPaths } from './peer-paths.js';

/**
 * What is different in `after`. A function is the same one when its ids are the same, first at the same
 * address, then at another one: bus numbers move. Peer paths are compared by the address of their ends.
 * Pure; two equal inventories differ in nothing.
 */
export function inventoryDrift(before: Inventory, after: Inventory): DriftItem[] {
  return [
    ...machineDrift(before, after),
    ...otherUnits(before.units, after.units).map(
      (part): DriftItem => ({ kind: 'changed', what: part, before: 'this one', after: 'exchanged for another' }),
    ),
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
    ['NUMA node', fn.numaNode === null ? 'none' : String(fn.numaNode)],
    ['BAR sizes', fn.barSizesBytes.map((size) => (size === 0 ? '–' : String(size))).join(' ')],
  ];
  const now = new Map(told(after));
  const changes = told(before).flatMap(([what, value]) =>
    changed(`${what} of ${nameOf(after)} at ${after.address}`, value, now.get(what) ?? ''),
  );
  return [...changes, ...exchange(before, after), ...detailDrift(before, after)];
}

/** Parts whose digests differ under one salt. */
function otherUnits(before: readonly Unit[] = [], after: readonly Unit[] = []): string[] {
  const now = new Map(after.map(({ part, digest }) => [part, digest]));
  return before.flatMap(({ part, digest }) => {
    const other = now.get(part) ?? digest;
    return other !== digest && saltOf(other) === saltOf(digest) ? [part] : [];
  });
}

const saltOf = (digest: string): string => digest.split('-', 1)[0] ?? '';

/** Another specimen, by a number of it that both were asked for by one agent. */
function exchange(before: PciFunction, after: PciFunction): DriftItem[] {
  const isOther = otherUnits(before.units, after.units).length > 0;
  const what = `card ${nameOf(after)} at ${after.address}`;
  return isOther
    ? [{ kind: 'changed', what, before: 'this one', after: 'exchanged for another of the same model' }]
    : [];
}

/** What only some machines tell, and not at each reading: what one of the two does not tell is no difference. */
function detailsOf(fn: PciFunction): Map<string, string> {
  return new Map([
    ...(fn.firmware ?? []).map(({ part, version }): [string, string] => [`firmware (${part})`, version]),
    ...(fn.driverVersion === undefined ? [] : [['driver version', fn.driverVersion] as const]),
    ...(fn.ownMemoryBytes === undefined ? [] : [['own memory', `${fn.ownMemoryBytes} bytes`] as const]),
    ...(fn.iommuMode === undefined ? [] : [['IOMMU mode', fn.iommuMode ?? 'none'] as const]),
  ]);
}

function detailDrift(before: PciFunction, after: PciFunction): DriftItem[] {
  const now = detailsOf(after);
  return [...detailsOf(before)].flatMap(([what, value]) =>
    changed(`${what} of ${nameOf(after)} at ${after.address}`, value, now.get(what) ?? value),
  );
}

/**
 * Whether `after` tells something of the machine or a function that `before` does not. Nothing changed by that alone, but what is
 * compared with next has to have it.
 */
export function tellsMore(before: Inventory, after: Inventory): boolean {
  // Another salt: the agent lost its own, or another agent has the machine.
  const unitKeys = (units: readonly Unit[] = []): string[] =>
    units.map(({ part, digest }) => `${part} ${saltOf(digest)}`);
  const keysOf = (fn: PciFunction): string[] => [...detailsOf(fn).keys(), ...unitKeys(fn.units)];
  const ofMachine = new Set(unitKeys(before.units));
  if (unitKeys(after.units).some((key) => !ofMachine.has(key))) return true;
  const old = new Map(before.functions.map((fn) => [fn.address, new Set(keysOf(fn))]));
  return after.functions.some((fn) => {
    const known = old.get(fn.address);
    return known !== undefined && keysOf(fn).some((what) => !known.has(what));
  });
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
