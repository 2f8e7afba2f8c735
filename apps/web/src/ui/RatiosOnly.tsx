import { isVirtual, RATIOS_ONLY, type Combination } from '@peerlab/contracts';
import type { ReactNode } from 'react';

/** Says that figures are ratios only, where some are of virtual machines; nothing where none is. */
export function RatiosOnly({ combinations }: { combinations: readonly (Combination | undefined)[] }): ReactNode {
  if (!combinations.some((each) => each !== undefined && isVirtual(each.identity))) return null;
  return <p className="notice notice-quiet ratios-only">{RATIOS_ONLY}</p>;
}
