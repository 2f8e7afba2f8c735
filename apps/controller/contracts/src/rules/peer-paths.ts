import { recogniseDevice, type DeviceRole } from './devices.js';
import type { Inventory, PciFunction } from '../schema/inventory.js';
import type { ChangedPart, PathPrediction, PathRule, TrustedHostBridge } from '../schema/path-rule.js';
import type { DevicePair, PeerPath } from '../schema/paths.js';

/** ACS request redirect, completion redirect and egress control send peer traffic up to the root. */
const ACS_REDIRECT_BITS = 0x04 | 0x08 | 0x20;

const trusted = (vendor: string, devices: string, sameOnly = false): TrustedHostBridge[] =>
  devices.split(' ').map((device) => ({ vendor, device: device === '*' ? null : device, sameOnly }));

/**
 * The rule of Linux 7.3.4, for kernels whose source was not read and for machines by themselves. `*` = any device of that
 * vendor.
 */
export const LINUX_PATH_RULE: PathRule = {
  hostBridges: [
    // Xeon E5 and Core i7; Xeon E7 v3 and E5 v3.
    ...trusted('8086', '3c00 3c01 2f00 2f01', true),
    // Skylake-E and later.
    ...trusted('8086', '2030 2031 2032 2033 2020 09a2'),
    // Sapphire Rapids and later: DSA, IAX and QAT are the first devices of their root buses.
    ...trusted('8086', '0b25 0cfe 11fb 1212 1216 4940 4942 4944 4946 4948'),
    // SoCs of Google; CPUs of NVIDIA.
    ...trusted('1ae0', '*'),
    ...trusted('10de', '2f95 2f96 2f97 2f98'),
  ],
  changed: [],
};

/**
 * Predicts the path from the inventory and the source of a kernel, so that what the kernel under test claims can be
 * compared with something it did not say. Follows calc_map_type_and_dist() of drivers/pci/p2pdma.c.
 * @param rule of the kernel's source; `kind` is null where it depends on a part that the source changes
 * @returns null when the machine has no such functions
 */
export function predictPath(inventory: Inventory, pair: DevicePair, rule: PathRule): PathPrediction | null {
  const surroundings = surroundingsOf(inventory, rule);
  const [provider, client] = [pair.provider, pair.client].map((address) => surroundings.byAddress.get(address));
  return provider === undefined || client === undefined ? null : predict(surroundings, provider, client);
}

/** What is the same for all pairs of a machine. */
interface Surroundings {
  byAddress: ReadonlyMap<string, PciFunction>;
  cpu: Inventory['cpu'];
  /** Ids of the device that stands for a host bridge, by its root bus; null where the kernel takes none. */
  hostBridges: ReadonlyMap<string, string | null>;
  rule: PathRule;
  /** By the address of a function, as they are asked for. */
  ways: Map<string, WayUp>;
}

interface WayUp {
  up: readonly string[];
  bridges: ReadonlySet<string>;
}

/** Domain and bus of an address. */
const busOf = (address: string): string => address.slice(0, address.lastIndexOf(':'));

/** The root bus that a function is below. */
const rootBusOf = (fn: PciFunction): string => busOf(fn.parents[0] ?? fn.address);

function surroundingsOf({ functions, cpu }: Inventory, rule: PathRule): Surroundings {
  const first = new Map<string, PciFunction>();
  for (const fn of functions) {
    if (fn.parents.length > 0) continue;
    const bus = busOf(fn.address);
    const known = first.get(bus);
    if (known === undefined || fn.address < known.address) first.set(bus, fn);
  }
  return {
    byAddress: new Map(functions.map((fn) => [fn.address, fn])),
    cpu,
    rule,
    ways: new Map(),
    hostBridges: new Map([...first].map(([bus, fn]) => [bus, hostBridgeIds(fn)])),
  };
}

/**
 * As pci_host_bridge_dev() does: the first device of a root bus counts when it is 00.0 or a root port. An inventory of an
 * older agent does not say what is a root port; bridges of a root bus are.
 */
function hostBridgeIds(fn: PciFunction): string | null {
  const isRootPort = fn.pcieType === undefined ? fn.class.startsWith('0604') : fn.pcieType === 'root-port';
  return fn.address.endsWith(':00.0') || isRootPort ? `${fn.vendor}:${fn.device}` : null;
}

/** The first entry that fits, as in the kernel. */
function trustOf({ hostBridges }: PathRule, ids: string | null): TrustedHostBridge | undefined {
  if (ids === null) return undefined;
  const [vendor, device] = ids.split(':');
  return hostBridges.find((each) => each.vendor === vendor && (each.device === null || each.device === device));
}

/** Why a part of the rule is not known; undefined when it is. A part of another name may be any. */
const changeOf = ({ changed }: PathRule, part: ChangedPart): string | undefined =>
  changed.find(({ what }) => (part === 'path' ? what !== 'cpu' && what !== 'host-bridges' : what === part))?.why;

const unknown = (why: string, change: string): PathPrediction => ({
  kind: null,
  distance: null,
  reason: `unknown: the source changes this rule (${change}); ${why}`.slice(0, 2000),
});

/** The bridges above a function, the nearest first; worked out once, as each end is in many pairs. */
function wayUp({ ways }: Surroundings, { address, parents }: PciFunction): WayUp {
  const known = ways.get(address);
  if (known !== undefined) return known;
  const way = { up: [...parents].reverse(), bridges: new Set(parents) };
  ways.set(address, way);
  return way;
}

function predict(surroundings: Surroundings, provider: PciFunction, client: PciFunction): PathPrediction {
  const { byAddress, rule } = surroundings;
  const change = changeOf(rule, 'path');
  if (change !== undefined) return unknown('no path is predicted', change);
  const { up } = wayUp(surroundings, provider);
  const { up: clientUp, bridges: clientBridges } = wayUp(surroundings, client);
  const common = up.find((bridge) => clientBridges.has(bridge));
  if (common !== undefined) {
    // The kernel looks at the ends themselves and, on the provider's side, at the common bridge too.
    const climbed = [
      provider.address,
      ...up.slice(0, up.indexOf(common) + 1),
      client.address,
      ...clientUp.slice(0, clientUp.indexOf(common)),
    ];
    const redirecting = climbed.find(
      (address) => ((byAddress.get(address)?.acsControl ?? 0) & ACS_REDIRECT_BITS) !== 0,
    );
    const distance = up.indexOf(common) + 1 + clientUp.indexOf(common) + 1;
    if (redirecting === undefined) {
      return { kind: 'BUS_ADDR', distance, reason: `both below bridge ${common}` };
    }
    return throughHostBridge(surroundings, [provider, client], distance, `ACS redirect at ${redirecting}`);
  }
  return throughHostBridge(surroundings, [provider, client], up.length + clientUp.length + 2, 'no common bridge');
}

/**
 * What the kernel asks where data has to go through the root complex: cpu_supports_p2pdma() or host_bridge_whitelist(). One of
 * them is enough, so that a change of the other one does not matter then.
 */
function throughHostBridge(
  surroundings: Surroundings,
  ends: readonly [PciFunction, PciFunction],
  distance: number,
  why: string,
): PathPrediction {
  const { cpu, rule } = surroundings;
  const cpuChange = changeOf(rule, 'cpu');
  const bridgeChange = changeOf(rule, 'host-bridges');
  if (cpuChange === undefined && cpu.vendor === 'AuthenticAMD' && cpu.family >= 0x17) {
    return {
      kind: 'THRU_HOST_BRIDGE',
      distance,
      reason: `${why}; AMD family ${cpu.family} routes between root ports`,
    };
  }
  if (bridgeChange !== undefined) return unknown(why, bridgeChange);
  const { isTrusted, reason } = judgeHostBridges(surroundings, ends);
  if (isTrusted) return { kind: 'THRU_HOST_BRIDGE', distance, reason: `${why}; ${reason}` };
  if (cpuChange !== undefined) return unknown(`${why}; ${reason}`, cpuChange);
  return { kind: 'NOT_SUPPORTED', distance: null, reason: `${why}; ${reason}` };
}

/** host_bridge_whitelist(): both ends below one host bridge that is on the list, or below two that may route to each other. */
function judgeHostBridges(
  { hostBridges, rule }: Surroundings,
  ends: readonly [PciFunction, PciFunction],
): { isTrusted: boolean; reason: string } {
  const buses = [...new Set(ends.map(rootBusOf))];
  const bridges = buses.map((bus) => hostBridges.get(bus) ?? null);
  const named = bridges.map((ids) => ids ?? 'unknown').join(' and ');
  const words = buses.length === 1 ? `host bridge ${named} is` : `host bridges ${named} are`;
  const trust = bridges.map((ids) => trustOf(rule, ids));
  if (trust.some((bridge) => bridge === undefined)) {
    return { isTrusted: false, reason: `${words} not on the kernel's list` };
  }
  if (buses.length > 1 && trust.some((bridge) => bridge?.sameOnly === true)) {
    return { isTrusted: false, reason: `${words} on the kernel's list for one host bridge only` };
  }
  return { isTrusted: true, reason: `${words} on the kernel's list` };
}

/**
 * Providers, and clients, of one machine that are looked at, in the order of the inventory: every pair is a path, and
 * paths are stored. A server of today has sixteen slots.
 */
export const PATH_ENDS_MAX = 32;

interface PathEnd {
  fn: PciFunction;
  model: string;
}

/** All providers and clients of a machine, ordered by address. */
export function pathEnds({ functions }: Pick<Inventory, 'functions'>): Record<DeviceRole, PathEnd[]> {
  const ends: Record<DeviceRole, PathEnd[]> = { provider: [], client: [] };
  for (const fn of functions) {
    const device = recogniseDevice(fn);
    if (device !== null) ends[device.role].push({ fn, model: device.model });
  }
  return ends;
}

/**
 * Provider × client pairs of a machine, ordered by address; of either at most PATH_ENDS_MAX. By the rule of Linux 7.3: they
 * are the machine's own, whatever kernel is tested there.
 */
export function peerPaths(inventory: Inventory): PeerPath[] {
  const { provider: providers, client: clients } = pathEnds(inventory);
  const surroundings = surroundingsOf(inventory, LINUX_PATH_RULE);
  return providers.slice(0, PATH_ENDS_MAX).flatMap((p) =>
    clients.slice(0, PATH_ENDS_MAX).map((c) => ({
      provider: { address: p.fn.address, model: p.model },
      client: { address: c.fn.address, model: c.model },
      ...known(predict(surroundings, p.fn, c.fn)),
      ...(p.fn.iommuMode === undefined || c.fn.iommuMode === undefined
        ? {}
        : { iommuModes: { provider: p.fn.iommuMode, client: c.fn.iommuMode } }),
    })),
  );
}

/** The farm's own rule has no part that is not known. */
function known({ kind, ...rest }: PathPrediction): Pick<PeerPath, 'kind' | 'distance' | 'reason'> {
  if (kind === null) throw new Error(`no path is predicted: ${rest.reason}`);
  return { kind, ...rest };
}
