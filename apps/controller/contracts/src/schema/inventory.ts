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
/** Longest kernel command line, in characters: no architecture of Linux takes more than 4096. */
export const COMMAND_LINE_MAX = 8192;

const Text = z.string().max(INVENTORY_TEXT_MAX);
const Word = z.string().max(INVENTORY_WORD_MAX);

/** Domain:bus:device.function as Linux prints it. An attribute, never an identity: bus numbers move. */
export const PciAddress = z.string().regex(/^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/);

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
});
export type Inventory = z.infer<typeof Inventory>;
