import { Injectable } from '@nestjs/common';
import {
  type ClockOffset,
  type FailureClass,
  type FromAgent,
  type HeldParticipant,
  type ToAgent,
} from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { ParticipantStore, StaleFence } from '../attempts/participant-store.js';
import { LeaseStore } from '../attempts/lease-store.js';
import { StreamStore } from '../attempts/stream-store.js';
import { columnsOf, nullable, pick, text, type RowOf } from '../platform/database/row-shape.js';
import { prepared, Sql, type Queries } from '../platform/database/sql.js';
import { Participant } from '../schema/attempts.js';
import { Run } from '../schema/runs.js';
import { readAssignments } from './assignment.js';
import { AttemptService } from './attempt.service.js';

type Accepted = Extract<FromAgent, { type: 'accepted' }>;
type Declined = Extract<FromAgent, { type: 'declined' }>;
export type Order = Extract<ToAgent, { type: 'assign' | 'cancel' | 'stop' | 'drop' }>;
/** Whether an order about a participant is to be sent now. */
export type IsDue = (order: Order['type'], participantId: string) => boolean;
export type Welcome = Extract<ToAgent, { type: 'welcome' }>['participants'];
export type Renewed = Extract<ToAgent, { type: 'renewed' }>['participants'];

const PARTICIPANT = columnsOf(Participant);

const KNOWN = {
  ...pick(PARTICIPANT, 'id', 'fence'),
  /** Why it was revoked; null while it was not. */
  revoked: nullable(text),
};

/** A participant that an agent holds, as the tables know it. */
type KnownParticipant = RowOf<typeof KNOWN>;

const TO_SAY = {
  ...pick(PARTICIPANT, 'id', 'state'),
  ...pick(columnsOf(Run), 'cancel_requested'),
  peer_failure: nullable(text),
};
// One that runs, is not canceled and has no failed peer leaves nothing to say.
const OPEN = prepared(
  `select p.id, p.state, r.cancel_requested, peer.failure as peer_failure
   from participant p join attempt t on t.id = p.attempt_id join job j on j.id = t.job_id
     join run r on r.id = j.run_id
     left join lateral (
       select 'participant ' || o.role || ' failed: ' || coalesce(o.failure ->> 'message', '') as failure
       from participant o where o.attempt_id = p.attempt_id and o.id <> p.id and o.failure is not null
       order by o.ended_at limit 1) peer on true
   where p.agent = $1 and p.state <> 'ended'
     and (p.state = 'assigned' or r.cancel_requested or peer.failure is not null)
   order by p.fence`,
);

/**
 * Keeps agents and tables in step: what an agent reports, in hello and in every heartbeat, is compared
 * with what the tables say, and each difference is mended. Nothing depends on an earlier message.
 */
@Injectable()
export class ReconcileService {
  readonly #sql: Sql;
  readonly #store: ParticipantStore;
  readonly #leases: LeaseStore;
  readonly #streams: StreamStore;
  readonly #attempts: AttemptService;

  constructor(sql: Sql, store: ParticipantStore, leases: LeaseStore, streams: StreamStore, attempts: AttemptService) {
    this.#sql = sql;
    this.#store = store;
    this.#leases = leases;
    this.#streams = streams;
    this.#attempts = attempts;
  }

  /**
   * Answers a hello: renews the leases of what the agent holds, and says what is stored of each of it. Those left out are
   * unknown. It ends nothing: a hello may have lain in the buffer of a frozen controller while its agent went to another
   * one and began more. Only an agent that was welcomed sends heartbeats.
   */
  async welcome(agent: string, held: readonly HeldParticipant[]): Promise<Welcome> {
    await this.#acceptHeld(agent, await this.renew(agent, held));
    const welcome: Welcome = [];
    for (const { id, fence, revoked } of await knownParticipants(this.#sql, agent, held)) {
      const ackedNext = await this.#streams.acknowledged(this.#sql, id);
      welcome.push({ participantId: id, fence, ackedNext, ...(revoked === null ? {} : { revoked }) });
    }
    return welcome;
  }

  /**
   * Takes a heartbeat's report of all that an agent holds: renews the leases of that, takes it as accepted, and ends
   * or gives again what the agent holds no more. Returns the leases that were renewed. A report that came
   * over another connection than the agent's newest ends nothing.
   */
  async reconcile(agent: string, connection: string, held: readonly HeldParticipant[]): Promise<Renewed> {
    const renewed = await this.renew(agent, held);
    await this.#acceptHeld(agent, renewed);
    const lost = await this.#sql.rows(
      pick(PARTICIPANT, 'id'),
      `select id from participant where agent = $1 and state = 'running' and not (id = any($2::uuid[]))`,
      [agent, held.map(({ participantId }) => participantId)],
    );
    for (const { id } of lost) {
      await alone(id, () => this.#sql.transaction((tx) => this.#mendLost(tx, agent, connection, id)));
    }
    return renewed;
  }

  /** Notes how the agent's clock stands to the farm's; returns the farm's time, in milliseconds since 1970. */
  noteClock(agent: string, held: readonly HeldParticipant[], clock: ClockOffset | undefined): Promise<number> {
    return this.#store.noteClock(this.#sql, agent, held, clock);
  }

  /** Renews the leases of what an agent holds. */
  renew(agent: string, held: readonly HeldParticipant[]): Promise<Renewed> {
    return this.#leases.renew(this.#sql, agent, held);
  }

  /**
   * The orders for an agent: first to drop what it holds without a lease, then what to stop, then what to begin.
   * `isDue` tells whether an order is to be sent now.
   */
  async ordersFor(agent: string, held: readonly HeldParticipant[], isDue: IsDue = () => true): Promise<Order[]> {
    const byId = new Map(held.map((participant) => [participant.participantId, participant]));
    const [orders, open] = await Promise.all([this.#drops(agent, held, isDue), this.#sql.rows(TO_SAY, OPEN, [agent])]);
    const assigned: string[] = [];
    for (const { id, state, cancel_requested, peer_failure } of open) {
      const taken = byId.has(id) || state === 'running';
      if (cancel_requested && taken) {
        const ending = isEnding(byId.get(id));
        if (!ending && isDue('cancel', id))
          orders.push({ type: 'cancel', participantId: id, reason: 'the run was canceled' });
      } else if (cancel_requested) {
        await alone(id, () => this.#withdraw(id));
      } else if (peer_failure !== null && taken) {
        if (!isEnding(byId.get(id)) && isDue('stop', id))
          orders.push({ type: 'stop', participantId: id, reason: peer_failure });
      } else if (!taken && isDue('assign', id)) {
        assigned.push(id);
      }
    }
    for (const assignment of await readAssignments(this.#sql, assigned)) orders.push({ type: 'assign', assignment });
    return orders;
  }

  /** Throws StaleFence when the work was taken away meanwhile. */
  async accept(agent: string, { participantId, fence }: Accepted): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      await this.#store.checkAuthority(tx, participantId, fence, agent);
      await this.#store.accept(tx, await this.#store.lock(tx, participantId));
    });
  }

  /** The agent cannot begin it. Throws StaleFence when the work was taken away meanwhile. */
  async decline(agent: string, { participantId, fence, reason }: Declined): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      await this.#store.checkAuthority(tx, participantId, fence, agent);
      await this.#revoke(tx, participantId, 'infrastructure', `agent ${agent} declined the work: ${reason}`);
    });
  }

  /**
   * Ends a participant whose agent reports of it what cannot be read. Does nothing when it was revoked before. Throws
   * StaleFence when it is not the agent's.
   */
  async abandon(agent: string, participantId: string, fence: number, message: string): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      const { revoked } = await this.#store.checkFence(tx, participantId, fence, agent, 'update');
      if (revoked !== null) return;
      await this.#revoke(tx, participantId, 'agent-bug', message);
    });
  }

  /** Ends a participant whose assignment its agent could not read. */
  async refuse(participantId: string, problem: string): Promise<void> {
    await this.#sql.transaction((tx) =>
      this.#revoke(tx, participantId, 'request', `the work cannot be given to an agent: ${problem}`),
    );
  }

  /** What an agent holds it has accepted, even if its word for that was lost. */
  async #acceptHeld(agent: string, leased: Renewed): Promise<void> {
    if (leased.length === 0) return;
    const assigned = await this.#sql.rows(
      pick(PARTICIPANT, 'id', 'fence'),
      `select id, fence from participant where agent = $1 and state = 'assigned' and id = any($2::uuid[])`,
      [agent, leased.map(({ participantId }) => participantId)],
    );
    for (const { id, fence } of assigned) {
      await this.accept(agent, { type: 'accepted', participantId: id, fence }).catch((error: unknown) => {
        // Taken away since its lease was renewed: the agent is told when it is given its orders.
        if (!(error instanceof StaleFence)) throw error;
      });
    }
  }

  async #drops(agent: string, held: readonly HeldParticipant[], isDue: IsDue): Promise<Order[]> {
    if (held.length === 0) return [];
    const known = new Map((await knownParticipants(this.#sql, agent, held)).map((row) => [row.id, row]));
    return held.flatMap((participant): Order[] => {
      const { participantId } = participant;
      const row = known.get(participantId);
      // One that is ending delivers what it has; there is nothing to add.
      if (row !== undefined && (row.revoked === null || isEnding(participant))) return [];
      if (!isDue('drop', participantId)) return [];
      return [
        row === undefined
          ? { type: 'drop', participantId, code: 'unknown', reason: 'the controller does not know it' }
          : { type: 'drop', participantId, code: 'revoked', reason: row.revoked ?? '' },
      ];
    });
  }

  /** Revokes what was assigned but never accepted. */
  async #withdraw(participantId: string): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      const participant = await this.#store.lock(tx, participantId);
      if (participant.state === 'assigned')
        await this.#revoke(tx, participantId, 'canceled', 'canceled before the agent took it');
    });
  }

  /** The agent reported without a participant that it had accepted. */
  async #mendLost(tx: Queries, agent: string, connection: string, id: string): Promise<void> {
    // Of two connections only the newest knows what the agent holds.
    const current = 'select 1 from agent where name = $1 and connection = $2 for no key update';
    if (!(await tx.exists(current, [agent, connection]))) return;
    const participant = await this.#store.lock(tx, id);
    if (participant.state !== 'running') return;
    if (!(await this.#streams.hasAny(tx, id))) {
      // Nothing of it arrived, so it never got to the agent's disk: it is simply given again.
      await this.#store.assignAgain(tx, participant);
      return;
    }
    const message = `agent ${agent} came back without this attempt; its spool was lost`;
    await this.#revoke(tx, id, 'infrastructure', message);
  }

  async #revoke(tx: Queries, participantId: string, failureClass: FailureClass, message: string): Promise<void> {
    await this.#attempts.end(tx, await this.#store.lock(tx, participantId), {
      failure: { class: failureClass, stage: null, message, signature: null },
      restored: null,
      revoked: true,
    });
  }
}

/** A failure with one participant is logged and does not stop the others of its agent: its lease expires. */
async function alone(participant: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (err) {
    log.error({ err, participant }, 'participant-not-reconciled');
  }
}

/** Which of the participants that an agent names are its own, under the fence that it names. */
async function knownParticipants(
  queries: Queries,
  agent: string,
  held: readonly HeldParticipant[],
): Promise<KnownParticipant[]> {
  if (held.length === 0) return [];
  return queries.rows(
    KNOWN,
    `select p.id, p.fence,
       case when p.revoked_at is not null then coalesce(p.failure ->> 'message', 'the controller ended it') end as revoked
     from participant p join unnest($2::uuid[], $3::bigint[]) as h(participant_id, fence)
       on p.id = h.participant_id and p.fence = h.fence
     where p.agent = $1 order by p.fence`,
    [agent, held.map(({ participantId }) => participantId), held.map(({ fence }) => fence)],
  );
}

/** The agent reports that it is ending it already. */
const isEnding = (participant: HeldParticipant | undefined): boolean => (participant?.state ?? 'running') !== 'running';
