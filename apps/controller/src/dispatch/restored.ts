import type { AttemptEvent } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import type { Queries } from '../platform/database/sql.js';
import type { LockedAttempt } from '../attempts/attempt-store.js';
import { noteForgedFence } from '../fleet/machine-register.js';
import type { Ending } from './attempt.service.js';

type Finished = Extract<AttemptEvent, { type: 'finished' }>;

/**
 * Whether the machine of an attempt was restored, by what its agent reports and what this farm knows. The
 * kernel under test is root on the machine and can show any fence: that a newer attempt has the machine is
 * believed only when such an attempt was given that fence there. Otherwise the machine goes into quarantine,
 * and the made-up fence is noted, so that the next attempt may replace it.
 */
export async function judgeRestored(
  tx: Queries,
  attempt: LockedAttempt,
  { restored, fenceSeen }: Pick<Finished, 'restored' | 'fenceSeen'>,
): Promise<Pick<Ending, 'restored' | 'quarantineReason'>> {
  if (attempt.machine === null) return { restored };
  if (fenceSeen === undefined && restored !== null) return { restored };
  // Another execution of the same attempt has the machine, and this one changed nothing on it.
  if (restored === true && fenceSeen === attempt.fence) return { restored };
  if (await wasGiven(tx, attempt, attempt.machine, fenceSeen)) return { restored };
  log.warn({ attempt: attempt.id, machine: attempt.machine, fence: fenceSeen ?? null }, 'forged-fence');
  if (fenceSeen !== undefined && fenceSeen > attempt.fence) {
    await noteForgedFence(tx, attempt.machine, fenceSeen);
  }
  const seen = fenceSeen === undefined ? 'another fence' : `the fence ${fenceSeen}`;
  return {
    restored: false,
    quarantineReason:
      `it showed attempt ${attempt.id} ${seen}, which no newer attempt on it was given: the file ` +
      '/var/lib/peerlab.fence on it was forged, or another farm uses the machine; examine it, then activate it',
  };
}

/** An agent that does not say which fence it saw is believed when any newer attempt was given the machine. */
async function wasGiven(
  tx: Queries,
  attempt: LockedAttempt,
  machine: string,
  fence: number | undefined,
): Promise<boolean> {
  return tx.exists(
    `select 1 from attempt where machine = $1 and fence > $2 and ($3::bigint is null or fence = $3) limit 1`,
    [machine, attempt.fence, fence ?? null],
  );
}
