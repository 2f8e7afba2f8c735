/** Where the peers of a virtual machine sit on its PCIe bus, as QEMU `-device` values. */
export interface Placement {
  /** Ports, switches and bridges, in the order in which QEMU must create them. */
  bridges: readonly string[];
  /** Bus (and slot) of each provider, in the order in which the guest enumerates them. */
  providers: readonly string[];
  /** The same of each client. */
  clients: readonly string[];
}

const SWITCH = ['pcie-root-port,id=rp0,chassis=1,slot=1', 'x3130-upstream,id=up0,bus=rp0'];
const downstream = (id: string, slot: number): string => `xio3130-downstream,id=${id},bus=up0,chassis=2,slot=${slot}`;

/**
 * The kernel counts the bridges between two functions and looks for a common one (calc_map_type_and_dist() of
 * drivers/pci/p2pdma.c), so these are all the topologies that it can tell apart.
 */
export const PLACEMENTS = {
  switch: {
    bridges: [...SWITCH, downstream('provider', 0), downstream('client', 1)],
    providers: ['provider'],
    clients: ['client'],
  },
  'root-ports': {
    bridges: ['pcie-root-port,id=provider,chassis=1,slot=1', 'pcie-root-port,id=client,chassis=2,slot=2'],
    providers: ['provider'],
    clients: ['client'],
  },
  'pci-bridge': {
    bridges: ['pcie-pci-bridge,id=pb0'],
    providers: ['pb0,addr=1'],
    clients: ['pb0,addr=2'],
  },
  'root-bus': {
    bridges: [],
    providers: ['pcie.0,addr=0x10'],
    clients: ['pcie.0,addr=0x11'],
  },
  'switch-two-providers': {
    bridges: [...SWITCH, downstream('provider', 0), downstream('provider1', 1), downstream('client', 2)],
    providers: ['provider', 'provider1'],
    clients: ['client'],
  },
  /** The second provider is on a root port of its own, reachable only through a trusted host bridge. */
  mixed: {
    bridges: [
      ...SWITCH,
      downstream('provider', 0),
      downstream('client', 1),
      'pcie-root-port,id=provider1,chassis=3,slot=3',
    ],
    providers: ['provider', 'provider1'],
    clients: ['client'],
  },
  /** Two host bridges, each with a switch that has a provider and a client: bus numbers 0x40 and 0x80, as sockets have them. */
  'two-sockets': {
    bridges: [0, 1].flatMap((socket) => [
      `pxb-pcie,id=socket${socket},bus_nr=${64 * (socket + 1)},bus=pcie.0`,
      `pcie-root-port,id=rp${socket},bus=socket${socket},chassis=${1 + 2 * socket},slot=${1 + socket}`,
      `x3130-upstream,id=up${socket},bus=rp${socket}`,
      ...['provider', 'client'].map(
        (end, slot) => `xio3130-downstream,id=${end}${socket},bus=up${socket},chassis=${2 + 2 * socket},slot=${slot}`,
      ),
    ]),
    providers: ['provider0', 'provider1'],
    clients: ['client0', 'client1'],
  },
} as const satisfies Record<string, Placement>;

export type Topology = keyof typeof PLACEMENTS;
