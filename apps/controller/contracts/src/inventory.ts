import { z } from 'zod';

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
  parents: z.array(PciAddress),
  driver: z.string().nullable(),
  link: z.object({ speed: z.string(), width: z.number().int().nonnegative() }).nullable(),
  numaNode: z.number().int().nullable(),
  /** ACS control register (PCIe r6 7.7.11.3), null without the capability. */
  acsControl: z.number().int().nonnegative().nullable(),
  iommuGroup: z.string().nullable(),
  /** Sizes in bytes by BAR index 0–5; 0 = not implemented. */
  barSizesBytes: z.array(z.number().nonnegative()).max(6),
});
export type PciFunction = z.infer<typeof PciFunction>;

export const Cpu = z.object({
  vendor: z.string(),
  family: z.number().int(),
  model: z.number().int(),
  name: z.string(),
  count: z.number().int().positive(),
});

/** What the agent reads from a machine on its default kernel. */
export const Inventory = z.object({
  cpu: Cpu,
  memoryBytes: z.number().nonnegative(),
  system: z.object({ vendor: z.string(), product: z.string(), board: z.string(), firmware: z.string() }),
  iommu: z.enum(['none', 'translated', 'passthrough']),
  kernel: z.object({ release: z.string(), buildId: z.string(), commandLine: z.string() }),
  functions: z.array(PciFunction).max(4096),
});
export type Inventory = z.infer<typeof Inventory>;
