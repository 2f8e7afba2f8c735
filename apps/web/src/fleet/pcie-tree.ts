import { recogniseDevice, type DeviceRole, type Inventory, type PciFunction } from '@peerlab/contracts';

/** A PCI function and the functions below it. */
export interface PcieNode {
  fn: PciFunction;
  what: string;
  role: DeviceRole | null;
  children: PcieNode[];
}

/** Functions as the tree that their `parents` describe, in address order; one with an unknown parent is a root. */
export function pcieTree(inventory: Inventory): PcieNode[] {
  const sorted = [...inventory.functions].sort((a, b) => (a.address < b.address ? -1 : 1));
  const nodes = new Map(
    sorted.map((fn): [string, PcieNode] => {
      const known = recogniseDevice(fn);
      return [fn.address, { fn, what: known?.model ?? className(fn), role: known?.role ?? null, children: [] }];
    }),
  );
  const roots: PcieNode[] = [];
  for (const node of nodes.values()) {
    const parent = nodes.get(node.fn.parents.at(-1) ?? '');
    (parent?.children ?? roots).push(node);
  }
  for (const node of roots) namePorts(node, null);
  return roots;
}

const PCI_BRIDGE = '0604';

/**
 * Names bridges by their place: on the root bus a root port; a bridge that has only bridges below it
 * is a switch's upstream port, and those are its downstream ports.
 */
function namePorts(node: PcieNode, parent: PcieNode | null): void {
  const isBridge = ({ fn }: PcieNode): boolean => fn.class.startsWith(PCI_BRIDGE);
  if (isBridge(node) && node.fn.link !== null) {
    if (parent === null) node.what = 'root port';
    else if (parent.what === UPSTREAM) node.what = 'switch, downstream port';
    else if (node.children.length > 0 && node.children.every(isBridge)) node.what = UPSTREAM;
  }
  for (const child of node.children) namePorts(child, node);
}
const UPSTREAM = 'switch, upstream port';

/** PCI class codes (PCI Code and ID Assignment): base class and sub-class, else base class alone. */
const CLASSES: Record<string, string> = {
  '0101': 'IDE controller',
  '0106': 'SATA controller',
  '0108': 'NVMe controller',
  '0100': 'storage controller',
  '0200': 'Ethernet controller',
  '0207': 'InfiniBand controller',
  '0300': 'display controller',
  '0302': '3D controller',
  '0600': 'host bridge',
  '0601': 'ISA bridge',
  '0604': 'PCI bridge',
  '0c03': 'USB controller',
  '0c05': 'SMBus',
  '01': 'storage controller',
  '02': 'network controller',
  '03': 'display controller',
  '04': 'multimedia device',
  '05': 'memory controller',
  '06': 'bridge',
  '07': 'communication device',
  '08': 'system peripheral',
  '0c': 'serial bus controller',
  '12': 'accelerator',
};

/** Kind of a function by its class code. */
export function className(fn: PciFunction): string {
  return CLASSES[fn.class.slice(0, 4)] ?? CLASSES[fn.class.slice(0, 2)] ?? `class ${fn.class}`;
}

/** Addresses on the peer path of a pair: both ends and every bridge above them up to the common one. */
export function addressesOnPath(inventory: Inventory, provider: string, client: string): Set<string> {
  const find = (address: string): PciFunction | undefined => inventory.functions.find((fn) => fn.address === address);
  const from = find(provider);
  const to = find(client);
  if (from === undefined || to === undefined) return new Set();
  const shared = [...from.parents].reverse().find((bridge) => to.parents.includes(bridge));
  const climbed = (fn: PciFunction): string[] => {
    const start = shared === undefined ? 0 : fn.parents.indexOf(shared);
    return fn.parents.slice(start);
  };
  return new Set([provider, client, ...climbed(from), ...climbed(to)]);
}
