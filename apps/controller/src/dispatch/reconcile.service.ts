import { Injectable } from '@nestjs/common';
import { type FailureClass, type FromAgent, type HeldAttempt, type ToAgent } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { AttemptStore, StaleFence } from '../attempts/attempt-store.js';
import { LeaseStore } from '../attempts/lease-store.js';
import { StreamStore } from '../attempts/stream-store.js';
import { columnsOf, nullable, pick, text, type RowOf } from '../platform/database/row-shape.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { Attempt } from '../schema/attempts.js';
import { Run } from '../schema/runs.js';
import { readAssignments } from './assignment.js';
import { AttemptService } from './attempt.service.js';

type Accepted = Extract<FromAgent, { type: 'accepted' }>;
type Declined = Extract<FromAgent, { type: 'declined' }>;
export type Order = Extract<ToAgent, { type: 'assign' | 'cancel' | 'drop' }>;
/** Whether an order about an attempt is to be sent now. */
export type IsDue = (order: Order['type'], attemptId: string) => boolean;
export type Welcome = Extract<ToAgent, { type: 'welcome' }>['attempts'];
export type Renewed = Extract<ToAgent, { type: 'renewed' }>['attempts'];

const ATTEMPT = columnsOf(Attempt);

const KNOWN_ATTEMPT = {
  ...pick(ATTEMPT, 'id', 'fence'),
  /** Why it was revoked; null while it was not. */
  revoked: nullable(text),
};

/** An attempt that an agent holds, as the tables know it. */
type KnownAttempt = RowOf<typeof KNOWN_ATTEMPT>;

/**
 * Keeps agents and tables in step: what an agent reports, in hello and in every heartbeat, is compared
 * with what the tables say, and each difference is mended. Nothing depends on an earlier message.
 */
@Injectable()
export class ReconcileService {
  readonly #sql: Sql;
  readonly #store: AttemptStore;
  readonly #leases: LeaseStore;
  readonly #streams: StreamStore;
  readonly #attempts: AttemptService;

  constructor(sql: Sql, store: AttemptStore, leases: LeaseStore, streams: StreamStore, attempts: AttemptService) {
    this.#sql = sql;
    this.#store = store;
    this.#leases = leases;
    this.#streams = streams;
    this.#attempts = attempts;
  }

  /** Answers a hello: what is stored of each attempt that the agent holds. Those left out are unknown. */
  async welcome(agent: string, connection: string, held: readonly HeldAttempt[]): Promise<Welcome> {
    await this.reconcile(agent, connection, held);
    const welcome: Welcome = [];
    for (const { id, fence, revoked } of await knownAttempts(this.#sql, agent, held)) {
      const ackedNext = await this.#streams.acknowledged(this.#sql, id);
      welcome.push({ attemptId: id, fence, ackedNext, ...(revoked === null ? {} : { revoked }) });
    }
    return welcome;
  }

  /**
   * Takes a report of all that an agent holds: renews the leases of that, takes it as accepted, and ends
   * or gives again what the agent holds no more. Returns the leases that were renewed. A report that came
   * over another connection than the agent's newest ends nothing.
   */
  async reconcile(agent: string, connection: string, held: readonly HeldAttempt[]): Promise<Renewed> {
    const renewed = await this.renew(agent, held);
    await this.#acceptHeld(agent, renewed);
    const lost = await this.#sql.rows(
      pick(ATTEMPT, 'id'),
      `select id from attempt where agent = $1 and state = 'running' and not (id = any($2::uuid[]))`,
      [agent, held.map(({ attemptId }) => attemptId)],
    );
    for (const { id } of lost) {
      await alone(id, () => this.#sql.transaction((tx) => this.#mendLost(tx, agent, connection, id)));
    }
    return renewed;
  }

  /** Renews the leases of what an agent holds. */
  renew(agent: string, held: readonly HeldAttempt[]): Promise<Renewed> {
    return this.#leases.renew(this.#sql, agent, held);
  }

  /**
   * The orders for an agent: first to drop what it holds without a lease, then what to stop, then what to begin.
   * `isDue` tells whether an order is to be sent now.
   */
  async ordersFor(agent: string, held: readonly HeldAttempt[], isDue: IsDue = () => true): Promise<Order[]> {
    const orders: Order[] = await this.#drops(agent, held, isDue);
    const byId = new Map(held.map((attempt) => [attempt.attemptId, attempt]));
    // An attempt that runs and is not canceled leaves nothing to say.
    const open = await this.#sql.rows(
      { ...pick(ATTEMPT, 'id', 'state'), ...pick(columnsOf(Run), 'cancel_requested') },
      `select t.id, t.state, r.cancel_requested from attempt t join job j on j.id = t.job_id
       join run r on r.id = j.run_id
       where t.agent = $1 and t.state <> 'ended' and (t.state = 'assigned' or r.cancel_requested) order by t.fence`,
      [agent],
    );
    const assigned: string[] = [];
    for (const { id, state, cancel_requested } of open) {
      const taken = byId.has(id) || state === 'running';
      if (cancel_requested && taken) {
        const ending = isEnding(byId.get(id));
        if (!ending && isDue('cancel', id))
          orders.push({ type: 'cancel', attemptId: id, reason: 'the run was canceled' });
      } else if (cancel_requested) {
        await alone(id, () => this.#withdraw(id));
      } else if (!taken && isDue('assign', id)) {
        assigned.push(id);
      }
    }
    for (const assignment of await readAssignments(this.#sql, assigned)) orders.push({ type: 'assign', assignment });
    return orders;
  }

  /** Throws StaleFence when the work was taken away meanwhile. */
  async accept(agent: string, { attemptId, fence }: Accepted): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      await this.#store.checkAuthority(tx, attemptId, fence, agent);
      await this.#store.accept(tx, await this.#store.lock(tx, attemptId));
    });
  }

  /** The agent cannot begin it. Throws StaleFence when the work was taken away meanwhile. */
  async decline(agent: string, { attemptId, fence, reason }: Declined): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      await this.#store.checkAuthority(tx, attemptId, fence, agent);
      await this.#revoke(tx, attemptId, 'infrastructure', `agent ${agent} declined the work: ${reason}`);
    });
  }

  /**
   * Ends an attempt whose agent reports of it what cannot be read. Does nothing when it was revoked before. Throws
   * StaleFence when it is not the agent's.
   */
  async abandon(agent: string, attemptId: string, fence: number, message: string): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      if ((await this.#store.checkFence(tx, attemptId, fence, agent, 'update')) !== null) return;
      await this.#revoke(tx, attemptId, 'agent-bug', message);
    });
  }

  /** Ends an attempt whose assignment its agent could not read. */
  async refuse(attemptId: string, problem: string): Promise<void> {
    await this.#sql.transaction((tx) =>
      this.#revoke(tx, attemptId, 'request', `the work cannot be given to an agent: ${problem}`),
    );
  }

  /** What an agent holds it has accepted, even if its word for that was lost. */
  async #acceptHeld(agent: string, leased: Renewed): Promise<void> {
    if (leased.length === 0) return;
    const assigned = await this.#sql.rows(
      pick(ATTEMPT, 'id', 'fence'),
      `select id, fence from attempt where agent = $1 and state = 'assigned' and id = any($2::uuid[])`,
      [agent, leased.map(({ attemptId }) => attemptId)],
    );
    for (const { id, fence } of assigned) {
      await this.accept(agent, { type: 'accepted', attemptId: id, fence }).catch((error: unknown) => {
        // Taken away since its lease was renewed: the agent is told when it is given its orders.
        if (!(error instanceof StaleFence)) throw error;
      });
    }
  }

  async #drops(agent: string, held: readonly HeldAttempt[], isDue: IsDue): Promise<Order[]> {
    if (held.length === 0) return [];
    const known = new Map((await knownAttempts(this.#sql, agent, held)).map((attempt) => [attempt.id, attempt]));
    return held.flatMap((attempt): Order[] => {
      const { attemptId } = attempt;
      const row = known.get(attemptId);
      // One that is ending delivers what it has; there is nothing to add.
      if (row !== undefined && (row.revoked === null || isEnding(attempt))) return [];
      if (!isDue('drop', attemptId)) return [];
      return [
        row === undefined
          ? { type: 'drop', attemptId, code: 'unknown', reason: 'the controller does not know it' }
          : { type: 'drop', attemptId, code: 'revoked', reason: row.revoked ?? '' },
      ];
    });
  }

  /** Revokes what was assigned but never accepted. */
  async #withdraw(attemptId: string): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      const attempt = await this.#store.lock(tx, attemptId);
      if (attempt.state === 'assigned')
        await this.#revoke(tx, attemptId, 'canceled', 'canceled before the agent took it');
    });
  }

  /** The agent reported without an attempt that it had accepted. */
  async #mendLost(tx: Queries, agent: string, connection: string, id: string): Promise<void> {
    // Of two connections only the newest knows what the agent holds.
    const current = 'select 1 from agent where name = $1 and connection = $2 for no key update';
    if (!(await tx.exists(current, [agent, connection]))) return;
    const attempt = await this.#store.lock(tx, id);
    if (attempt.state !== 'running') return;
    if (!(await this.#streams.hasAny(tx, id))) {
      // Nothing of it arrived, so it never got to the agent's disk: it is simply given again.
      await this.#store.assignAgain(tx, id);
      return;
    }
    const message = `agent ${agent} came back without this attempt; its spool was lost`;
    await this.#revoke(tx, id, 'infrastructure', message);
  }

  async #revoke(tx: Queries, attemptId: string, failureClass: FailureClass, message: string): Promise<void> {
    await this.#attempts.end(tx, await this.#store.lock(tx, attemptId), {
      failure: { class: failureClass, stage: null, message, signature: null },
      restored: null,
      revoked: true,
    });
  }
}

/** A failure with one attempt is logged and does not stop the others of its agent: its lease expires. */
async function alone(attempt: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (err) {
    log.error({ err, attempt }, 'attempt-not-reconciled');
  }
}

/** Which of the attempts that an agent names are its own, under the fence that it names. */
async function knownAttempts(queries: Queries, agent: string, held: readonly HeldAttempt[]): Promise<KnownAttempt[]> {
  if (held.length === 0) return [];
  return queries.rows(
    KNOWN_ATTEMPT,
    `select t.id, t.fence,
       case when t.revoked_at is not null then coalesce(t.failure ->> 'message', 'the controller ended it') end as revoked
     from attempt t join unnest($2::uuid[], $3::bigint[]) as h(attempt_id, fence)
       on t.id = h.attempt_id and t.fence = h.fence
     where t.agent = $1 order by t.fence`,
    [agent, held.map(({ attemptId }) => attemptId), held.map(({ fence }) => fence)],
  );
}

/** The agent reports that it is ending the attempt already. Version 1 never does. */
const isEnding = (attempt: HeldAttempt | undefined): boolean => (attempt?.state ?? 'running') !== 'running';
