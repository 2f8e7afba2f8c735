import { Injectable } from '@nestjs/common';
import { LEASE_SECONDS, type HeldParticipant } from '@peerlab/contracts';
import { columnsOf, pick } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { Lease } from '../schema/attempts.js';

/** A lease that was renewed, as the agent is told. */
export interface RenewedLease {
  participantId: string;
  fence: number;
}

const LEASE = columnsOf(Lease);

/** Leases over time: renewed by their agent, run out, extended when no controller could renew them. */
@Injectable()
export class LeaseStore {
  /** Renews the leases of what an agent holds, in one statement by the database's clock. */
  async renew(queries: Queries, agent: string, held: readonly HeldParticipant[]): Promise<RenewedLease[]> {
    if (held.length === 0) return [];
    const rows = await queries.rows(
      pick(LEASE, 'participant_id', 'fence'),
      `update lease l set expires_at = clock_timestamp() + make_interval(secs => $4)
       from unnest($2::uuid[], $3::bigint[]) as h(participant_id, fence)
       where l.participant_id = h.participant_id and l.fence = h.fence and l.agent = $1 and l.released_at is null
       returning l.participant_id, l.fence`,
      [agent, held.map(({ participantId }) => participantId), held.map(({ fence }) => fence), LEASE_SECONDS],
    );
    return rows.map(({ participant_id, fence }) => ({ participantId: participant_id, fence }));
  }

  /** Participants whose lease ran out, the oldest first. */
  async expired(queries: Queries): Promise<string[]> {
    const rows = await queries.rows(
      pick(LEASE, 'participant_id'),
      'select participant_id from lease where released_at is null and expires_at < clock_timestamp() order by fence',
    );
    return rows.map((row) => row.participant_id);
  }

  /** Locks the lease of a participant if it is still run out; false otherwise. */
  async lockExpired(tx: Queries, participantId: string): Promise<boolean> {
    return tx.exists(
      `select 1 from lease where participant_id = $1 and released_at is null and expires_at < clock_timestamp() for update`,
      [participantId],
    );
  }

  /** A full lease for every open participant: the controllers were away, not the agents. Returns how many there are. */
  extendAll(queries: Queries): Promise<number> {
    return queries.run(
      `update lease set expires_at = greatest(expires_at, clock_timestamp() + make_interval(secs => $1))
       where released_at is null`,
      [LEASE_SECONDS],
    );
  }

  /**
   * Raises the next fence above everything that this or another farm can have drawn by now: machines compare
   * fences, and a database that was restored from a backup has forgotten the newest ones. To be called
   * while no controller draws any.
   */
  async raiseFences(queries: Queries): Promise<void> {
    // A fence for each millisecond since 1970 is more than any farm draws.
    await queries.run(
      `select setval('lease_fence', greatest((select last_value from lease_fence),
         (extract(epoch from clock_timestamp()) * 1000)::bigint))`,
    );
  }
}
