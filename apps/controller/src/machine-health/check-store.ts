import { Injectable } from '@nestjs/common';
import type { HealthCheckKind, HealthPolicy } from '@peerlab/contracts';
import {
  columnsOf,
  integer,
  json,
  pick,
  text,
  time,
  nullable,
  bool,
  type RowOf,
} from '../platform/database/row-shape.js';
import { storable } from '../platform/database/storable.js';
import type { Queries } from '../platform/database/sql.js';
import { HealthCheckRow } from '../schema/health.js';
import type { CheckedJob, CheckJudgement } from './judge-check.js';

const CHECK = columnsOf(HealthCheckRow);
const ENDED_RUN = { ...pick(CHECK, 'machine', 'number', 'kind', 'requested_at'), run_id: nullable(CHECK.run_id) };
/** A check whose run has ended. */
export type EndedRun = RowOf<typeof ENDED_RUN>;

const JOBS = { jobs: json<CheckedJob[]>(), canceled: bool };
const DUE = { machine: text, unproven: nullable(text) };

/** Pause after a check that said nothing, in minutes. */
const PAUSE_MINUTES = 10;
/** Machines that one pass begins to check. */
const DUE_MAX = 50;

/** SQL: the newest check of the machine `m` that it passed. */
const GOOD_AT = `(select max(h.ended_at) from health_check h where h.machine = m.name and h.outcome = 'passed')`;
/** SQL conditions: the machine `m` of the agent `a` takes work, and no check of it runs or was in vain just now. */
const IS_THERE = `m.desired = 'active' and m.reserved is null and m.configured and m.reachable and agent_online(a) and 'test' = any(a.capabilities)
  and exists (select 1 from machine_path p where p.machine = m.name)`;
const MAY_BEGIN = `not exists (
  select 1 from health_check h where h.machine = m.name and (h.ended_at is null
    or h.outcome <> 'passed' and h.ended_at > clock_timestamp() - interval '${PAUSE_MINUTES} minutes'
      -- A machine that is held for something new since then is checked at once.
      and h.ended_at > coalesce(m.unproven_at, '-infinity')))`;

/** Writes the checks of machines. */
@Injectable()
export class CheckStore {
  /** Machines that may not serve before they pass, and those that passed longer ago than `everyHours`; 0 = none of these. */
  due(queries: Queries, everyHours: number): Promise<RowOf<typeof DUE>[]> {
    return queries.rows(
      DUE,
      `select m.name as machine, m.unproven from machine m join agent a on a.name = m.agent
       where ${IS_THERE} and ${MAY_BEGIN} and (m.unproven is not null
         or $1::float8 > 0 and coalesce(${GOOD_AT}, '-infinity') < clock_timestamp() - $1::float8 * interval '1 hour')
       order by m.unproven is null, m.name limit ${DUE_MAX}`,
      [everyHours],
    );
  }

  /** Machines that serve, and on which the lab failed in each of the last attempts since their last check. */
  troubled(queries: Queries, { troubleAfter }: HealthPolicy): Promise<{ machine: string }[]> {
    return queries.rows(
      { machine: text },
      `select m.name as machine from machine m join agent a on a.name = m.agent cross join lateral (
         select count(*) as attempts, bool_and(last.is_lab) as all_lab from (
           select coalesce(p.failure ->> 'class', '') = 'infrastructure' as is_lab from participant p
           where p.machine = m.name and p.state = 'ended' and p.started_at > coalesce(
             (select max(h.requested_at) from health_check h where h.machine = m.name), '-infinity')
           order by p.started_at desc limit $1) last) recent
       where ${IS_THERE} and m.unproven is null and recent.attempts = $1 and recent.all_lab
       order by m.name limit ${DUE_MAX}`,
      [troubleAfter],
    );
  }

  /** Locks the machine and begins a check of it; null when one runs already, or the machine is not known. */
  async open(
    tx: Queries,
    machine: string,
    { kind, reason, by, boots }: { kind: HealthCheckKind; reason: string; by: string | null; boots: number },
  ): Promise<number | null> {
    if (!(await tx.exists('select 1 from machine where name = $1 for update', [machine]))) return null;
    const opened = await tx.one(
      { number: integer },
      `insert into health_check (machine, number, kind, reason, by, boots)
       select $1, coalesce((select max(number) from health_check where machine = $1), 0) + 1, $2, $3, $4, $5
       on conflict (machine) where ended_at is null do nothing returning number`,
      [machine, kind, storable(reason), by, boots],
    );
    return opened?.number ?? null;
  }

  async setRun(tx: Queries, machine: string, number: number, runId: string): Promise<void> {
    await tx.run('update health_check set run_id = $3 where machine = $1 and number = $2', [machine, number, runId]);
  }

  /** Checks whose run has ended, or was removed. */
  endedRuns(queries: Queries): Promise<EndedRun[]> {
    return queries.rows(
      ENDED_RUN,
      `select h.machine, h.number, h.kind, h.requested_at, h.run_id from health_check h left join run r on r.id = h.run_id
       where h.ended_at is null and (r.id is null or r.state = 'ended' and not exists (
         -- What its logs say of the hardware is not known yet.
         select 1 from job j join attempt t on t.job_id = j.id join participant p on p.attempt_id = t.id
           join crash_search s on s.participant_id = p.id where j.run_id = r.id and s.failed = 0)) order by h.machine limit ${DUE_MAX}`,
    );
  }

  /** The jobs of a run, as a check is judged by them. */
  async jobs(queries: Queries, runId: string): Promise<{ jobs: CheckedJob[]; canceled: boolean }> {
    const row = await queries.one(
      JOBS,
      `select r.cancel_requested as canceled, coalesce((
         select jsonb_agg(jsonb_build_object('kind', j.kind, 'verdict', j.verdict, 'note', j.note,
           'failures', coalesce((select jsonb_agg(t.failure order by t.number) from attempt t where t.job_id = j.id), '[]'),
           'wrong', (
             select jsonb_build_object('suite', x.suite, 'test', x.test, 'verdict', x.verdict,
               'reason', coalesce(x.signature, x.reason))
             from result x where x.attempt_id = (select id from attempt where job_id = j.id order by number desc limit 1)
               and x.verdict = j.verdict order by x.position limit 1),
           'alarm', (
             select h.title || case when h.device = '' then '' else ' (' || h.device || ')' end
             from attempt t join participant p on p.attempt_id = t.id join hardware_alarm h on h.participant_id = p.id
             where t.job_id = j.id and h.severity = 'uncorrected' order by h.at limit 1)) order by j.position)
         from job j where j.run_id = r.id), '[]') as jobs
       from run r where r.id = $1`,
      [runId],
    );
    return row ?? { jobs: [], canceled: false };
  }

  /** Locks the machine and ends a check; false when another controller did. */
  async end(
    tx: Queries,
    { machine, number }: Pick<EndedRun, 'machine' | 'number'>,
    { outcome, detail }: CheckJudgement,
  ): Promise<boolean> {
    await tx.run('select 1 from machine where name = $1 for update', [machine]);
    const ended = await tx.run(
      `update health_check set ended_at = clock_timestamp(), outcome = $3, detail = $4
       where machine = $1 and number = $2 and ended_at is null`,
      [machine, number, outcome, storable(detail)],
    );
    return ended > 0;
  }

  /** When the machine had passed last before this check; null = never. */
  async goodBefore(tx: Queries, { machine, number }: Pick<EndedRun, 'machine' | 'number'>): Promise<Date | null> {
    const row = await tx.one(
      { at: nullable(time) },
      `select max(ended_at) as at from health_check where machine = $1 and number < $2 and outcome = 'passed'`,
      [machine, number],
    );
    return row?.at ?? null;
  }

  /** How many checks in a row, the newest ones since somebody activated the machine, said nothing because the lab failed. */
  async inVain(tx: Queries, machine: string): Promise<number> {
    const row = await tx.one(
      { count: integer },
      `select count(*)::int as count from health_check h join machine m on m.name = h.machine
       where h.machine = $1 and h.outcome = 'inconclusive' and h.requested_at > coalesce(m.desired_at, '-infinity')
         and h.number > coalesce((select max(number) from health_check
           where machine = $1 and outcome in ('passed', 'failed')), 0)`,
      [machine],
    );
    return row?.count ?? 0;
  }

  /** Retention removes the run of a check: the check itself stays. */
  async forgetRun(tx: Queries, runId: string): Promise<void> {
    await tx.run('update health_check set run_id = null where run_id = $1', [runId]);
  }
}
