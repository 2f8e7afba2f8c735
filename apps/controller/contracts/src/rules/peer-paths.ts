import { recogniseDevice, type DeviceRole } from './devices.js';
import type { Inventory, PciFunction } from '../schema/inventory.js';
import type { PeerPath } from '../schema/paths.js';

/** ACS request redirect, completion redirect and egress control send peer traffic up to the root. */
const ACS_REDIRECT_BITS = 0x04 | 0x08 | 0x20;

/**
 * Root complexes the kernel trusts to route between root ports (pci_p2pdma_whitelist of Linux 7.3),
 * by the ids of the first device on the root bus.
 */
const TRUSTED_HOST_BRIDGES = new Set([
  '8086:3c00',
  '8086:3c01',
  '8086:2f00',
  '8086:2f01',
  '8086:2020',
  '8086:2030',
  '8086:2031',
  '8086:2032',
  '8086:2033',
  '8086:09a2',
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
  /** Ids of the first device on the root bus. */
  hostBridge: string;
}

function surroundingsOf({ functions, cpu }: Inventory): Surroundings {
  const root = functions.find((fn) => fn.address.endsWith(':00:00.0'));
  return {
    byAddress: new Map(functions.map((fn) => [fn.address, fn])),
    cpu,
    hostBridge: root === undefined ? 'unknown' : `${root.vendor}:${root.device}`,
  };
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
    return throughHostBridge(surroundings, distance, `ACS redirect at ${redirecting}`);
  }
  return throughHostBridge(surroundings, up.length + clientUp.length + 2, 'no common bridge');
}

function throughHostBridge(
  { cpu: { vendor, family }, hostBridge: ids }: Surroundings,
  distance: number,
  why: string,
): Prediction {
  if (vendor === 'AuthenticAMD' && family >= 0x17) {
    return { kind: 'THRU_HOST_BRIDGE', distance, reason: `${why}; AMD family ${family} routes between root ports` };
  }
  if (TRUSTED_HOST_BRIDGES.has(ids)) {
    return { kind: 'THRU_HOST_BRIDGE', distance, reason: `${why}; host bridge ${ids} is on the kernel's list` };
  }
  return { kind: 'NOT_SUPPORTED', distance: null, reason: `${why}; host bridge ${ids} is not on the kernel's list` };
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
