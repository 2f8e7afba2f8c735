import type { MachineUse } from '../schema/machine-use.js';

/** Share of the last USE_DAYS days in which the machine was leased, 0 to 1. */
export function leasedShare({ days }: MachineUse): number {
  return days.reduce((sum, share) => sum + share, 0) / days.length;
}
