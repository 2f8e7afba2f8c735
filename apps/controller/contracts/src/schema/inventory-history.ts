import { z } from 'zod';

/** One difference between two inventories of a machine. */
export const DriftItem = z.object({
  kind: z.enum(['new', 'gone', 'moved', 'changed']),
  /** What it is about: `kernel`, `IOMMU`, a PCIe function, a peer path. */
  what: z.string(),
  /** Null for what was not there. */
  before: z.string().nullable(),
  /** Null for what is there no more. */
  after: z.string().nullable(),
});
export type DriftItem = z.infer<typeof DriftItem>;

/** Inventories of a machine, newest first, each with what is different from the one before. */
export const InventoryHistory = z.object({
  inventories: z.array(
    z.object({
      /** When it was first seen so. */
      seenAt: z.iso.datetime(),
      /** Null for the oldest that is kept: there is nothing to compare it with. */
      changes: z.array(DriftItem).nullable(),
    }),
  ),
});
export type InventoryHistory = z.infer<typeof InventoryHistory>;
