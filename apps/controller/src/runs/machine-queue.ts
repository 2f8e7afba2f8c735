import { Injectable } from '@nestjs/common';
import { MACHINE_QUEUE_MAX, type WaitingJob } from '@peerlab/contracts';
import { columnsOf, pick } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';
import { Job, Run } from '../schema/runs.js';
import { fitsWish, laneMachine } from './candidates.js';

const JOB = columnsOf(Job);
const RUN = columnsOf(Run);
const QUEUED = {
  ...pick(JOB, 'run_id', 'queued_at'),
  job_id: JOB.id,
  build: JOB.build_name,
  run_name: RUN.name,
  priority: RUN.priority,
};

/** Reads which jobs wait for a machine, or for any of those that it is one of. */
@Injectable()
export class MachineQueue {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** The first MACHINE_QUEUE_MAX, in the order in which dispatch takes them. Throws a 404 problem. */
  async first(machine: string): Promise<WaitingJob[]> {
    const isKnown = await this.#sql.exists('select 1 from machine where name = $1', [machine]);
    if (!isKnown) throw notFound('machine', machine);
    const rows = await this.#sql.rows(
      QUEUED,
      `select j.job_id, j.run_id, j.queued_at, j.build, j.run_name, j.priority from (
       select j.id as job_id, j.run_id, j.queued_at, j.build_name as build, r.name as run_name, r.priority, j.queue_at, j.position
       from machine m join machine_path p on p.machine = m.name
         join job j on ${fitsWish('j')} join run r on r.id = j.run_id
       where m.name = $1 and j.kind = 'test' and j.state = 'queued' and j.roles = 1
         and (j.lane is null or m.name = coalesce(${laneMachine('j')}, m.name))
       union all
       select j.id, j.run_id, j.queued_at, role.build_name, r.name, r.priority, j.queue_at, j.position
       from job j join run r on r.id = j.run_id cross join lateral (
         -- Of several roles that it could take the first one.
         select o.build_name from machine m join machine_path p on p.machine = m.name join job_role o on ${fitsWish('o')}
         where m.name = $1 and o.job_id = j.id
           and (j.lane is null or m.name = coalesce(${laneMachine('j', 'o.position')}, m.name))
         order by o.position limit 1) role
       where j.roles > 1 and j.state = 'queued'
       ) j order by j.queue_at, j.queued_at, j.position, j.job_id limit $2`,
      [machine, MACHINE_QUEUE_MAX],
    );
    return rows.map((row) => ({
      jobId: row.job_id,
      run: { id: row.run_id, name: row.run_name },
      build: row.build,
      priority: row.priority,
      queuedAt: row.queued_at.toISOString(),
    }));
  }
}
