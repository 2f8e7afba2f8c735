import { recogniseDevice, type DeviceRole } from './devices.js';
import type { Inventory, PciFunction } from '../schema/inventory.js';
import type { PeerPath } from '../schema/paths.js';

/** ACS request redirect, completion redirect and egress control send peer traffic up to the root. */
const ACS_REDIRECT_BITS = 0x04 | 0x08 | 0x20;

interface TrustedBridge {
  /** Only between devices below one host bridge. */
  sameOnly: boolean;
}

const trusted = (vendor: string, devices: string, sameOnly = false): [string, TrustedBridge][] =>
  devices.split(' ').map((device) => [`${vendor}:${device}`, { sameOnly }]);

/**
 * Host bridges that the kernel trusts to route between root ports: pci_p2pdma_whitelist of Linux 7.3.4, by the ids of
 * the device that stands for the host bridge. `*` = any device of that vendor.
 */
const TRUSTED_HOST_BRIDGES: ReadonlyMap<string, TrustedBridge> = new Map([
  // Xeon E5 and Core i7; Xeon E7 v3 and E5 v3.
  ...trusted('8086', '3c00 3c01 2f00 2f01', true),
  // Skylake-E and later.
  ...trusted('8086', '2030 2031 2032 2033 2020 09a2'),
  // Sapphire Rapids and later: DSA, IAX and QAT are the first devices of their root buses.
  ...trusted('8086', '0b25 0cfe 11fb 1212 1216 4940 4942 4944 4946 4948'),
  // SoCs of Google; CPUs of NVIDIA.
  ...trusted('1ae0', '*'),
  ...trusted('10de', '2f95 2f96 2f97 2f98'),
]);

/**
 * Predicts the path kind from the inventory alone, so that what the kernel under test claims can be
 * compared with something it did not say. Follows calc_map_type_and_dist() of drivers/pci/p2pdma.c.
 */
export function predictPath(inventory: Inventory, provider: PciFunction, client: PciFunction): Prediction {
  return predict(surroundingsOf(inventory), provider, client);
}

type Prediction = Pick<PeerPath, 'kind' | 'distance' | 'reason'>;

/** What is the same for all pairs of a machine. */
interface Surroundings {
  byAddress: ReadonlyMap<string, PciFunction>;
  cpu: Inventory['cpu'];
  /** Ids of the device that stands for a host bridge, by its root bus; null where the kernel takes none. */
  hostBridges: ReadonlyMap<string, string | null>;
}

/** Domain and bus of an address. */
const busOf = (address: string): string => address.slice(0, address.lastIndexOf(':'));

/** The root bus that a function is below. */
const rootBusOf = (fn: PciFunction): string => busOf(fn.parents[0] ?? fn.address);

function surroundingsOf({ functions, cpu }: Inventory): Surroundings {
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

function trustOf(ids: string | null): TrustedBridge | undefined {
  if (ids === null) return undefined;
  return TRUSTED_HOST_BRIDGES.get(ids) ?? TRUSTED_HOST_BRIDGES.get(`${ids.slice(0, 4)}:*`);
}

function predict(surroundings: Surroundings, provider: PciFunction, client: PciFunction): Prediction {
  const { byAddress } = surroundings;
  const up = [...provider.parents].reverse();
  const clientUp = [...client.parents].reverse();
  const clientBridges = new Set(clientUp);
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

/** host_bridge_whitelist(): both ends below one host bridge that is on the list, or below two that may route to each other. */
function throughHostBridge(
  { cpu: { vendor, family }, hostBridges }: Surroundings,
  ends: readonly [PciFunction, PciFunction],
  distance: number,
  why: string,
): Prediction {
  if (vendor === 'AuthenticAMD' && family >= 0x17) {
    return { kind: 'THRU_HOST_BRIDGE', distance, reason: `${why}; AMD family ${family} routes between root ports` };
  }
  const buses = [...new Set(ends.map(rootBusOf))];
  const bridges = buses.map((bus) => hostBridges.get(bus) ?? null);
  const named = bridges.map((ids) => ids ?? 'unknown').join(' and ');
  const words = buses.length === 1 ? `host bridge ${named} is` : `host bridges ${named} are`;
  const trust = bridges.map(trustOf);
  if (trust.some((bridge) => bridge === undefined)) {
    return { kind: 'NOT_SUPPORTED', distance: null, reason: `${why}; ${words} not on the kernel's list` };
  }
  if (buses.length > 1 && trust.some((bridge) => bridge?.sameOnly === true)) {
    return {
      kind: 'NOT_SUPPORTED',
      distance: null,
      reason: `${why}; ${words} on the kernel's list for one host bridge only`,
    };
  }
  return { kind: 'THRU_HOST_BRIDGE', distance, reason: `${why}; ${words} on the kernel's list` };
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

/** Provider × client pairs of a machine, ordered by address; of either at most PATH_ENDS_MAX. */
export function peerPaths(inventory: Inventory): PeerPath[] {
  const { provider: providers, client: clients } = pathEnds(inventory);
  const surroundings = surroundingsOf(inventory);
  return providers.slice(0, PATH_ENDS_MAX).flatMap((p) =>
    clients.slice(0, PATH_ENDS_MAX).map((c) => ({
      provider: { address: p.fn.address, model: p.model },
      client: { address: c.fn.address, model: c.model },
      ...predict(surroundings, p.fn, c.fn),
    })),
  );
}
