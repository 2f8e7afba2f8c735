import type { StageView } from '@peerlab/contracts';
import { columnsOf, float, pick } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { AttemptStage } from '../schema/results.js';

type Stage = StageView['stage'];

/** Attempts at the same machine that are looked at, the newest: a machine changes with its kernels and its firmware. */
const ATTEMPTS_MAX = 50;
/** Fewer times than this say nothing. */
const TIMES_MIN = 3;

const USUAL = { ...pick(columnsOf(AttemptStage), 'participant_id', 'stage'), ms: float };

/**
 * What the running stages of participants usually take, in milliseconds, by participant and stage: the median of the passed
 * ones on the same machine. The tests of other suites take another time, so that stage is compared with attempts at the
 * same suites only. Participants without a machine, such as builds, have none.
 */
export async function usualStageTimes(
  queries: Queries,
  participantIds: readonly string[],
): Promise<ReadonlyMap<string, ReadonlyMap<Stage, number>>> {
  const byParticipant = new Map<string, Map<Stage, number>>();
  if (participantIds.length === 0) return byParticipant;
  for (const { participant_id, stage, ms } of await queries.rows(USUAL, SQL, [
    participantIds,
    ATTEMPTS_MAX,
    TIMES_MIN,
  ])) {
    const byStage = byParticipant.get(participant_id) ?? new Map<Stage, number>();
    byParticipant.set(participant_id, byStage.set(stage, ms));
  }
  return byParticipant;
}

/** SQL: the suites of a job, null in jobs from before they were recorded, which have all of their run. */
const suitesOf = (job: string, run: string): string =>
  `coalesce(${job}.suites, array(select jsonb_array_elements_text(${run}.spec -> 'suites')))`;

const SQL = `
  select s.participant_id, s.stage, usual.ms
  from participant p join attempt_stage s on s.participant_id = p.id and s.ended_at is null
    join attempt t on t.id = p.attempt_id join job j on j.id = t.job_id join run r on r.id = j.run_id
    cross join lateral (
      select count(*) as n,
        percentile_cont(0.5) within group (order by extract(epoch from o.ended_at - o.started_at)::float8 * 1000) as ms
      from (
        select a.id, a.attempt_id from participant a where a.machine = p.machine and a.id <> p.id
        order by a.started_at desc limit $2) before
        join attempt_stage o on o.participant_id = before.id and o.stage = s.stage
          and o.status = 'passed' and o.ended_at is not null
        join attempt u on u.id = before.attempt_id join job k on k.id = u.job_id join run q on q.id = k.run_id
      where s.stage <> 'test'
        or (${suitesOf('k', 'q')} @> ${suitesOf('j', 'r')} and ${suitesOf('k', 'q')} <@ ${suitesOf('j', 'r')})
    ) usual
  where p.id = any($1) and p.state <> 'ended' and p.machine is not null and usual.n >= $3`;
