import { randomBytes, randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { AttemptStore } from '../attempts/attempt-store.js';
import { LeaseStore } from '../attempts/lease-store.js';
import { StreamStore } from '../attempts/stream-store.js';
import { BuildService } from '../builds/build.service.js';
import { AGENT_ONLINE } from '../fleet/fleet.service.js';
import { announce } from '../platform/database/bus.js';
import { isPgError } from '../platform/database/pg-error.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { errorFields, writeLog } from '../platform/logging.js';
import { HAS_ROOM } from '../storage/storage.js';
import { JobService } from '../runs/job.service.js';
import { rollUpRun } from '../runs/rollup.js';
import { AttemptService } from './attempt.service.js';
import { QUEUE_ORDER } from '../runs/order.js';

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

const DUE = `j.state = 'queued' and (j.not_before is null or j.not_before <= clock_timestamp()) and not r.cancel_requested and ${HAS_ROOM}`;
const IN_ORDER = `order by ${QUEUE_ORDER('j', 'r')} limit 1`;

/** Matches queued jobs with free machines and build slots, and takes back what nobody renews. */
@Injectable()
export class DispatchService {
  readonly #sql: Sql;
  readonly #store: AttemptStore;
  readonly #leases: LeaseStore;
  readonly #streams: StreamStore;
  readonly #jobs: JobService;
  readonly #builds: BuildService;
  readonly #attempts: AttemptService;

  constructor(
    sql: Sql,
    store: AttemptStore,
    leases: LeaseStore,
    streams: StreamStore,
    jobs: JobService,
    builds: BuildService,
    attempts: AttemptService,
  ) {
    this.#sql = sql;
    this.#store = store;
    this.#leases = leases;
    this.#streams = streams;
    this.#jobs = jobs;
    this.#builds = builds;
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
    await this.#store.open(tx, {
      id: attemptId,
      jobId: pick.job_id,
      agent: pick.agent,
      machine: pick.machine,
      slot: pick.slot,
      nonce: randomBytes(16).toString('hex'),
    });
    await this.#streams.open(tx, attemptId);
    await this.#jobs.start(tx, pick.job_id);
    if (pick.machine === null) await this.#builds.begin(tx, pick.build_id);
    await rollUpRun(tx, pick.run_id);
    await announce(tx, { type: 'agent-work', agent: pick.agent }, { type: 'changed', topics: ['machines', 'builds'] });
    return true;
  }

  /** Ends attempts whose lease ran out; returns how many. One that cannot be ended is logged and keeps no other. */
  async reap(): Promise<number> {
    let reaped = 0;
    for (const id of await this.#leases.expired(this.#sql)) {
      try {
        if (await this.#sql.transaction((tx) => this.#attempts.reap(tx, id))) reaped += 1;
      } catch (error) {
        writeLog('error', 'attempt-not-reaped', { attempt: id, ...errorFields(error) });
      }
    }
    return reaped;
  }
}

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
