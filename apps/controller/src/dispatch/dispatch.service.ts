import { randomBytes, randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import {
  effectiveTimeouts,
  LEASE_SECONDS,
  SpoolStream,
  type Assignment,
  type BuildSpec,
  type BundleManifest,
  type FromAgent,
  type HeldAttempt,
  type PeerPath,
  type RunSpec,
  type ToAgent,
} from '@peerlab/contracts';
import { AGENT_ONLINE } from '../fleet/fleet.service.js';
import { announce } from '../platform/database/bus.js';
import { isPgError, Sql, type Queries } from '../platform/database/sql.js';
import { rollUpRun } from '../runs/rollup.js';
import { AttemptService, StaleFence } from './attempt.service.js';

type Accepted = Extract<FromAgent, { type: 'accepted' }>;
type Declined = Extract<FromAgent, { type: 'declined' }>;
export type Work = Extract<ToAgent, { type: 'assign' | 'cancel' }>;
/** Whether an order about an attempt is to be sent now. */
export type IsDue = (order: Work['type'], attemptId: string) => boolean;
export type Welcome = Extract<ToAgent, { type: 'welcome' }>['attempts'];

interface Pick {
  job_id: string;
  run_id: string;
  build_id: string;
  agent: string;
  machine: string | null;
  slot: number | null;
}

/** Two replicas that chose the same machine on stale snapshots; the index let one through. */
const UNIQUE_VIOLATION = '23505';

const DUE = `j.state = 'queued' and (j.not_before is null or j.not_before <= clock_timestamp()) and not r.cancel_requested`;
const IN_ORDER = 'order by r.priority desc, j.queued_at, j.position, j.id limit 1';

/** Matches queued jobs with free machines and build slots, and keeps agents and tables in step. */
@Injectable()
export class DispatchService {
  readonly #sql: Sql;
  readonly #attempts: AttemptService;

  constructor(sql: Sql, attempts: AttemptService) {
    this.#sql = sql;
    this.#attempts = attempts;
  }

  /** Claims all that can start now; returns how many. Any number of replicas may do so at once. */
  async dispatch(): Promise<number> {
    let claimed = 0;
    for (;;) {
      try {
        if (!(await this.#sql.transaction((tx) => this.#claim(tx)))) return claimed;
        claimed += 1;
      } catch (error) {
        if (!isPgError(error, UNIQUE_VIOLATION)) throw error;
      }
    }
  }

  async #claim(tx: Queries): Promise<boolean> {
    const pick = (await pickTest(tx)) ?? (await pickBuild(tx));
    if (pick === null) return false;
    const attemptId = randomUUID();
    // One statement instead of five: every round trip adds to the time a job waits for its machine.
    await tx.run(
      `with drawn as (select nextval('lease_fence') as fence),
         tried as (
           insert into attempt (id, job_id, number, state, agent, machine, fence, nonce)
           select $1::uuid, $2::uuid, (select coalesce(max(number), 0) + 1 from attempt where job_id = $2), 'assigned',
             $3::text, $4::text, fence, $5::text from drawn),
         leased as (
           insert into lease (fence, attempt_id, agent, machine, slot, expires_at)
           select fence, $1, $3, $4, $6::int, clock_timestamp() + make_interval(secs => $7) from drawn),
         counted as (insert into stream (attempt_id, stream) select $1, unnest($8::text[]))
       update job set state = 'running', not_before = null where id = $2`,
      [
        attemptId,
        pick.job_id,
        pick.agent,
        pick.machine,
        randomBytes(16).toString('hex'),
        pick.slot,
        LEASE_SECONDS,
        SpoolStream.options,
      ],
    );
    if (pick.machine === null) {
      await tx.run(`update build set state = 'building', error = null where id = $1 and state = 'pending'`, [
        pick.build_id,
      ]);
    }
    await rollUpRun(tx, pick.run_id);
    await announce(tx, { type: 'agent-work', agent: pick.agent }, { type: 'changed', topics: ['machines', 'builds'] });
    return true;
  }

  /**
   * What the agent has to be told about its open attempts. `isDue` says whether an order is wanted
   * now; only those are read in full, all of them at once.
   */
  async workFor(agent: string, held: readonly HeldAttempt[], isDue: IsDue = () => true): Promise<Work[]> {
    const heldIds = new Set(held.map(({ attemptId }) => attemptId));
    // An attempt that runs and is not canceled leaves nothing to say.
    const open = await this.#sql.rows<{ id: string; state: string; cancel_requested: boolean }>(
      `select t.id, t.state, r.cancel_requested from attempt t join job j on j.id = t.job_id
       join run r on r.id = j.run_id
       where t.agent = $1 and t.state <> 'ended' and (t.state = 'assigned' or r.cancel_requested) order by t.fence`,
      [agent],
    );
    const work: Work[] = [];
    const assigned: string[] = [];
    for (const { id, state, cancel_requested } of open) {
      const taken = heldIds.has(id) || state === 'running';
      if (cancel_requested && taken) {
        if (isDue('cancel', id)) work.push({ type: 'cancel', attemptId: id, reason: 'the run was canceled' });
      } else if (cancel_requested) {
        await this.#withdraw(id);
      } else if (!taken && isDue('assign', id)) {
        assigned.push(id);
      }
    }
    for (const assignment of await this.#assignments(assigned)) work.push({ type: 'assign', assignment });
    return work;
  }

  /**
   * Compares what an agent holds with the tables when it (re)connects. Attempts missing in the answer
   * are to be dropped; attempts that the agent lost are ended or given again.
   */
  async reconcile(agent: string, held: readonly HeldAttempt[]): Promise<Welcome> {
    const welcome: Welcome = [];
    for (const { attemptId, fence } of held) {
      const live = await this.#sql.transaction(async (tx) => {
        try {
          await this.#attempts.checkFence(tx, attemptId, fence, agent, 'share');
          return true;
        } catch (error) {
          if (error instanceof StaleFence) return false;
          throw error;
        }
      });
      if (!live) continue;
      welcome.push({ attemptId, fence, ackedNext: await this.#attempts.acknowledged(this.#sql, attemptId) });
    }
    await this.renew(agent, held);
    const heldIds = held.map(({ attemptId }) => attemptId);
    const lost = await this.#sql.rows<{ id: string; untouched: boolean }>(
      `select t.id, not exists (select 1 from stream s where s.attempt_id = t.id and s.next > 0) as untouched
       from attempt t where t.agent = $1 and t.state = 'running' and not (t.id = any($2::uuid[]))`,
      [agent, heldIds],
    );
    for (const { id, untouched } of lost) {
      if (untouched)
        await this.#sql.run(`update attempt set state = 'assigned' where id = $1 and state = 'running'`, [id]);
      else await this.#forgotten(id);
    }
    return welcome;
  }

  /** Renews the leases of what an agent holds, in one statement by the database's clock. */
  async renew(agent: string, held: readonly HeldAttempt[]): Promise<void> {
    await this.#sql.run(
      `update lease l set expires_at = clock_timestamp() + make_interval(secs => $4)
       from unnest($2::uuid[], $3::bigint[]) as h(attempt_id, fence)
       where l.attempt_id = h.attempt_id and l.fence = h.fence and l.agent = $1 and l.released_at is null`,
      [agent, held.map(({ attemptId }) => attemptId), held.map(({ fence }) => fence), LEASE_SECONDS],
    );
  }

  /** A full lease for everybody: the controller was away, not the agents. */
  async grantGrace(): Promise<void> {
    await this.#sql.run(
      `update lease set expires_at = greatest(expires_at, clock_timestamp() + make_interval(secs => $1))
       where released_at is null`,
      [LEASE_SECONDS],
    );
  }

  /** Ends attempts whose lease ran out; returns how many. */
  async reap(): Promise<number> {
    let reaped = 0;
    for (const id of await this.#attempts.expired(this.#sql)) {
      if (await this.#sql.transaction((tx) => this.#attempts.reap(tx, id))) reaped += 1;
    }
    return reaped;
  }

  /** Throws StaleFence when the work was taken away meanwhile. */
  async accept(agent: string, { attemptId, fence }: Accepted): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      await this.#attempts.checkFence(tx, attemptId, fence, agent, 'update');
      await this.#attempts.accept(tx, await this.#attempts.lock(tx, attemptId));
    });
  }

  async decline(agent: string, { attemptId, fence, reason }: Declined): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      await this.#attempts.checkFence(tx, attemptId, fence, agent, 'update');
      await this.#attempts.end(tx, await this.#attempts.lock(tx, attemptId), {
        failure: {
          class: 'infrastructure',
          stage: null,
          message: `agent ${agent} declined the work: ${reason}`,
          signature: null,
        },
        restored: null,
        revoked: true,
      });
    });
  }

  /** Takes back what was assigned but never taken. */
  async #withdraw(attemptId: string): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      const attempt = await this.#attempts.lock(tx, attemptId);
      if (attempt.state !== 'assigned') return;
      await this.#attempts.end(tx, attempt, {
        failure: { class: 'canceled', stage: null, message: 'canceled before the agent took it', signature: null },
        restored: null,
        revoked: true,
      });
    });
  }

  async #forgotten(attemptId: string): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      const attempt = await this.#attempts.lock(tx, attemptId);
      if (attempt.state !== 'running') return;
      const message = `agent ${attempt.agent} came back without this attempt; its spool was lost`;
      await this.#attempts.end(tx, attempt, {
        failure: { class: 'infrastructure', stage: null, message, signature: null },
        restored: null,
        revoked: true,
      });
    });
  }

  /** Assignments of open attempts, the oldest first. */
  async #assignments(attemptIds: readonly string[]): Promise<Assignment[]> {
    if (attemptIds.length === 0) return [];
    const rows = await this.#sql.rows<AssignmentRow>(
      `select t.id, j.run_id, t.fence, t.nonce, j.kind, t.machine, j.path, j.suites, b.spec as build, r.spec, u.manifest, u.sha256,
         a.size_bytes
       from attempt t join job j on j.id = t.job_id join run r on r.id = j.run_id join build b on b.id = j.build_id
         left join bundle u on u.key = b.bundle_key left join artifact a on a.sha256 = u.sha256
       where t.id = any($1) order by t.fence`,
      [attemptIds],
    );
    return rows.map(assignmentOf);
  }
}

interface AssignmentRow {
  id: string;
  run_id: string;
  fence: number;
  nonce: string;
  kind: 'build' | 'test';
  machine: string | null;
  path: PeerPath | null;
  suites: string[] | null;
  build: BuildSpec;
  spec: RunSpec;
  manifest: BundleManifest | null;
  sha256: string | null;
  size_bytes: number;
}

function assignmentOf(row: AssignmentRow): Assignment {
  const { id: attemptId, run_id: runId, fence, build, spec } = row;
  if (row.kind === 'build') {
    const work = {
      kind: 'build',
      buildName: build.name,
      series: build.series ?? [],
      config: build.config ?? DEFAULT_CONFIG,
    } as const;
    return { attemptId, runId, fence, work };
  }
  if (row.machine === null || row.path === null || row.manifest === null || row.sha256 === null) {
    throw new Error(`test attempt ${attemptId} lacks its machine or bundle`);
  }
  const wanted = row.suites ?? spec.suites;
  const suites = row.manifest.suites.filter(({ name }) => wanted.includes(name));
  return {
    attemptId,
    runId,
    fence,
    work: {
      kind: 'test',
      machine: row.machine,
      buildName: build.name,
      bundle: { sha256: row.sha256, sizeBytes: row.size_bytes },
      manifest: row.manifest,
      suites,
      path: row.path,
      nonce: row.nonce,
      timeouts: effectiveTimeouts(spec.timeouts, row.manifest.config.name, suites),
    },
  };
}

/** kernel/config/peerlab.config, when a build names no other. */
const DEFAULT_CONFIG = 'peerlab';

/** A free machine, and the lowest free slot where its agent limits how many tests it runs at once. */
function pickTest(tx: Queries): Promise<Pick | null> {
  return tx.one<Pick>(
    `select j.id as job_id, j.run_id, j.build_id, m.agent, m.name as machine, free.slot
     from job j join run r on r.id = j.run_id join machine m on m.name = j.machine join agent a on a.name = m.agent
       left join lateral (
         select s.slot from generate_series(0, a.test_slots - 1) as s(slot)
         where not exists (select 1 from lease l where l.agent = a.name and l.slot = s.slot
                             and l.machine is not null and l.released_at is null)
         order by s.slot limit 1) free on true
     where j.kind = 'test' and ${DUE} and m.desired = 'active' and m.reachable and ${AGENT_ONLINE}
       and 'test' = any(a.capabilities) and (a.test_slots is null or free.slot is not null)
       and not exists (select 1 from lease l where l.machine = m.name and l.released_at is null)
     ${IN_ORDER} for no key update of j, m skip locked`,
  );
}

/** The lowest free slot of a builder; the index on (agent, slot) settles races. */
function pickBuild(tx: Queries): Promise<Pick | null> {
  return tx.one<Pick>(
    `select j.id as job_id, j.run_id, j.build_id, a.name as agent, null::text as machine, free.slot
     from job j join run r on r.id = j.run_id
       join agent a on 'build' = any(a.capabilities) and ${AGENT_ONLINE}
       join lateral (
         select s.slot from generate_series(0, a.build_slots - 1) as s(slot)
         where not exists (select 1 from lease l where l.agent = a.name and l.slot = s.slot
                             and l.machine is null and l.released_at is null)
         order by s.slot limit 1) free on true
     where j.kind = 'build' and ${DUE}
     ${IN_ORDER} for no key update of j skip locked`,
  );
}
