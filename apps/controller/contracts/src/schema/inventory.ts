import { z } from 'zod';

/** Longest string in an inventory, in characters, and longest short word (a driver, a speed, a group). */
export const INVENTORY_TEXT_MAX = 1024;
export const INVENTORY_WORD_MAX = 256;
/** Bridges above one function: a domain has 256 buses. */
export const PARENTS_MAX = 256;
/** Functions of one machine. */
export const FUNCTIONS_MAX = 4096;
/** RDMA devices of one function. */
export const RDMA_DEVICES_MAX = 16;
/** Parts of one function whose firmware has a version of its own. */
export const FIRMWARE_PARTS_MAX = 16;
/** RDMA ports of one function, and numbered parts of a machine that are no functions. */
export const RDMA_PORTS_MAX = 32;
export const MACHINE_UNITS_MAX = 256;
/** Longest kernel command line, in characters: no architecture of Linux takes more than 4096. */
export const COMMAND_LINE_MAX = 8192;

const Text = z.string().max(INVENTORY_TEXT_MAX);
const Word = z.string().max(INVENTORY_WORD_MAX);

/** Domain:bus:device.function as Linux prints it. An attribute, never an identity: bus numbers move. */
export const PciAddress = z.string().regex(/^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/);

/**
 * Which specimen of its model a part is, by what has a number: salted digests, of which two are comparable when what stands before
 * the hyphen, which stands for the salt, is equal. Numbers themselves stay with the agent.
 */
export const Unit = z.object({ part: Word, digest: z.string().regex(/^[0-9a-f]{8}-[0-9a-f]{32}$/) });
export type Unit = z.infer<typeof Unit>;

/** A port of an RDMA device, in the words of sysfs (`ACTIVE`, `LinkUp`, `100 Gb/sec (4X EDR)`, `Ethernet`). */
export const RdmaPort = z.object({
  device: Word,
  port: z.number().int().min(1).max(255),
  state: Word,
  physicalState: Word,
  rate: Word,
  linkLayer: Word,
});
export type RdmaPort = z.infer<typeof RdmaPort>;

/**
 * One PCI function as sysfs shows it. Ids are four lower-case hex digits, `class` six.
 * `parents` runs from the root port down to the bridge directly above; empty on the root bus.
 */
export const PciFunction = z.object({
  address: PciAddress,
  vendor: z.string().regex(/^[0-9a-f]{4}$/),
  device: z.string().regex(/^[0-9a-f]{4}$/),
  subsystem: z
    .string()
    .regex(/^[0-9a-f]{4}:[0-9a-f]{4}$/)
    .nullable(),
  class: z.string().regex(/^[0-9a-f]{6}$/),
  revision: z.string().regex(/^[0-9a-f]{2}$/),
  parents: z.array(PciAddress).max(PARENTS_MAX),
  driver: Word.nullable(),
  /** `speed` is that of the moment: a link at rest runs at 2.5 GT/s. `maxSpeed`: absent from agents that do not read it. */
  link: z.object({ speed: Word, width: z.number().int().nonnegative(), maxSpeed: Word.optional() }).nullable(),
  numaNode: z.number().int().nullable(),
  /** ACS control register (PCIe r6 7.7.11.3), null without the capability. */
  acsControl: z.number().int().nonnegative().nullable(),
  iommuGroup: Word.nullable(),
  /** Mode of that group as the kernel says it: `identity`, `DMA`, `DMA-FQ`, `blocked`. null = no group. Absent from older agents. */
  iommuMode: Word.nullable().optional(),
  /** What pci.ids calls it, where the agent has that list: for people, and never part of an identity. */
  names: z.object({ vendor: Word, device: Word.nullable() }).optional(),
  /** Kind of PCIe device (PCIe r6 7.5.3.2); null = conventional PCI. Absent from agents that do not read it. */
  pcieType: z.enum(['endpoint', 'root-port', 'upstream', 'downstream', 'other']).nullable().optional(),
  /** Names of its RDMA devices. Absent from agents that do not read them. */
  rdmaDevices: z.array(Word).max(RDMA_DEVICES_MAX).optional(),
  /** The physical function of a virtual one. */
  physicalFunction: PciAddress.optional(),
  /** The agent reaches the machine through it. */
  management: z.boolean().optional(),
  /** Versions of its firmware, by the part that has one: `RDMA`, `VBIOS`. This field and the next two: absent where nothing tells. */
  firmware: z
    .array(z.object({ part: Word, version: Word }))
    .max(FIRMWARE_PARTS_MAX)
    .optional(),
  /** Version of a driver that does not come with the kernel. */
  driverVersion: Word.optional(),
  /** Which specimen of its model it is. */
  units: z.array(Unit).max(FIRMWARE_PARTS_MAX).optional(),
  /** How its RDMA ports stand at the moment: state, never identity. Absent from agents that do not read it. */
  ports: z.array(RdmaPort).max(RDMA_PORTS_MAX).optional(),
  /** A GPU's own memory, as its driver says. */
  ownMemoryBytes: z.number().nonnegative().optional(),
  /** Sizes in bytes by BAR index 0–5; 0 = not implemented. */
  barSizesBytes: z.array(z.number().nonnegative()).max(6),
});
export type PciFunction = z.infer<typeof PciFunction>;

export const Cpu = z.object({
  vendor: Text,
  family: z.number().int(),
  model: z.number().int(),
  name: Text,
  count: z.number().int().positive(),
});

/** What the agent reads from a machine on its default kernel. */
export const Inventory = z.object({
  cpu: Cpu,
  memoryBytes: z.number().nonnegative(),
  system: z.object({ vendor: Text, product: Text, board: Text, firmware: Text }),
  iommu: z.enum(['none', 'translated', 'passthrough']),
  kernel: z.object({ release: Word, buildId: Word, commandLine: z.string().max(COMMAND_LINE_MAX) }),
  functions: z.array(PciFunction).max(FUNCTIONS_MAX),
  /** Its board and memory modules, as far as the firmware numbers them. Absent where nothing tells. */
  units: z.array(Unit).max(MACHINE_UNITS_MAX).optional(),
});
export type Inventory = z.infer<typeof Inventory>;
