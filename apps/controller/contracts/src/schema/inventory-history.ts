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

/** The first digits of a SHA-256, enough for the machines of a lab: of `hardwareOf` or `stateOf`. */
export const InventoryDigest = z.string().regex(/^[0-9a-f]{12}$/);

/** Inventories of a machine, newest first, each with what is different from the one before. */
export const InventoryHistory = z.object({
  inventories: z.array(
    z.object({
      /** When it was first seen so. */
      seenAt: z.iso.datetime(),
      /** Digests of what the machine is made of, and of how it is set up; equal ones say nothing changed in that. */
      hardware: InventoryDigest,
      state: InventoryDigest,
      /** Null for the oldest that is kept: there is nothing to compare it with. */
      changes: z.array(DriftItem).nullable(),
    }),
  ),
});
export type InventoryHistory = z.infer<typeof InventoryHistory>;
