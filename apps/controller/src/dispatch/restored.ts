import type { AttemptEvent } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import type { Queries } from '../platform/database/sql.js';
import type { LockedParticipant } from '../attempts/participant-store.js';
import { noteForgedFence } from '../fleet/machine-register.js';
import type { Ending } from './attempt.service.js';

type Finished = Extract<AttemptEvent, { type: 'finished' }>;

/**
 * Whether the machine of a participant was restored, by what its agent reports and what this farm knows. The
 * kernel under test is root on the machine and can show any fence: that a newer attempt has the machine is
 * believed only when such an attempt was given that fence there. Otherwise the machine goes into quarantine,
 * and the made-up fence is noted, so that the next attempt may replace it.
 */
export async function judgeRestored(
  tx: Queries,
  participant: LockedParticipant,
  { restored, fenceSeen }: Pick<Finished, 'restored' | 'fenceSeen'>,
): Promise<Pick<Ending, 'restored' | 'quarantineReason'>> {
  if (participant.machine === null) return { restored };
  if (fenceSeen === undefined && restored !== null) return { restored };
  // Another execution of the same attempt has the machine, and this one changed nothing on it.
  if (restored === true && fenceSeen === participant.fence) return { restored };
  if (await wasGiven(tx, participant, participant.machine, fenceSeen)) return { restored };
  log.warn({ participant: participant.id, machine: participant.machine, fence: fenceSeen ?? null }, 'forged-fence');
  if (fenceSeen !== undefined && fenceSeen > participant.fence) {
    await noteForgedFence(tx, participant.machine, fenceSeen);
  }
  const seen = fenceSeen === undefined ? 'another fence' : `the fence ${fenceSeen}`;
  return {
    restored: false,
    quarantineReason:
      `it showed attempt ${participant.attempt_id} ${seen}, which no newer attempt on it was given: the file ` +
      '/var/lib/peerlab.fence on it was forged, or another farm uses the machine; examine it, then activate it',
  };
}

/** An agent that does not say which fence it saw is believed when any newer attempt or reservation was given the machine. */
async function wasGiven(
  tx: Queries,
  participant: LockedParticipant,
  machine: string,
  fence: number | undefined,
): Promise<boolean> {
  return tx.exists(
    `select 1 from (
       select fence from participant where machine = $1 and fence > $2
       union all select fence from reservation where machine = $1 and fence > $2) given
     where $3::bigint is null or fence = $3 limit 1`,
    [machine, participant.fence, fence ?? null],
  );
}
