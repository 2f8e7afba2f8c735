import { Injectable } from '@nestjs/common';
import { FAILURE_POLICY, type AttemptSummary, type ParticipantSummary, type StageView } from '@peerlab/contracts';
import { columnsOf, pick, type RowOf } from '../platform/database/row-shape.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { Attempt, Participant, type StoredFailure } from '../schema/attempts.js';
import { Build } from '../schema/builds.js';
import { AttemptStage } from '../schema/results.js';
import { usualStageTimes } from './usual-stage-times.js';

/** Progress of a build whose bundle was there already; earlier releases stored this text alone. */
export const FROM_CACHE = 'taken from the cache';
/** SQL: whether the attempt `t` at a build compiled nothing. */
export const IS_CACHED = `coalesce((t.progress ->> 'cached')::boolean, t.progress ->> 'text' = '${FROM_CACHE}', false)`;

const ATTEMPT = pick(
  columnsOf(Attempt),
  'id',
  'job_id',
  'number',
  'state',
  'started_at',
  'ended_at',
  'failure',
  'progress',
);
const COLUMNS = Object.keys(ATTEMPT)
  .map((name) => `t.${name}`)
  .join(', ');
const PARTICIPANT = {
  ...pick(
    columnsOf(Participant),
    'id',
    'attempt_id',
    'role',
    'state',
    'agent',
    'machine',
    'fence',
    'started_at',
    'ended_at',
    'failure',
    'restored',
    'clock_offset_ms',
    'clock_error_ms',
    'prediction',
  ),
  build_id: columnsOf(Build).id,
  build_name: columnsOf(Build).name,
};
const PARTICIPANT_COLUMNS = Object.keys(PARTICIPANT)
  .map((name) => (name.startsWith('build_') ? `part.${name}` : `p.${name}`))
  .join(', ');
const STAGE = columnsOf(AttemptStage);

/** Reads attempts as the API shows them. */
@Injectable()
export class AttemptView {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Attempts of all jobs of a run by job id, the newest last. */
  async ofRun(runId: string): Promise<Map<string, AttemptSummary[]>> {
    const rows = await this.#sql.rows(
      ATTEMPT,
      `select ${COLUMNS} from attempt t join job j on j.id = t.job_id where j.run_id = $1 order by t.number`,
      [runId],
    );
    const byJob = new Map<string, AttemptSummary[]>();
    const participants = await participantsOf(
      this.#sql,
      rows.map(({ id }) => id),
    );
    for (const row of rows) {
      const list = byJob.get(row.job_id) ?? [];
      list.push(attemptSummary(row, participants.get(row.id) ?? []));
      byJob.set(row.job_id, list);
    }
    return byJob;
  }

  /** One attempt, or null. */
  async summary(queries: Queries, id: string): Promise<AttemptSummary | null> {
    const row = await queries.one(ATTEMPT, `select ${COLUMNS} from attempt t where t.id = $1`, [id]);
    if (row === null) return null;
    return attemptSummary(row, (await participantsOf(queries, [id])).get(id) ?? []);
  }
}

/** By attempt, in the order of the roles. */
async function participantsOf(
  queries: Queries,
  attemptIds: readonly string[],
): Promise<Map<string, ParticipantSummary[]>> {
  const rows = await queries.rows(
    PARTICIPANT,
    `select ${PARTICIPANT_COLUMNS} from participant p join attempt t on t.id = p.attempt_id
       join job_part part on part.job_id = t.job_id and part.position = p.position
     where p.attempt_id = any($1) order by p.attempt_id, p.position`,
    [attemptIds],
  );
  const stages = await stagesOf(
    queries,
    rows.map(({ id }) => id),
  );
  const byAttempt = new Map<string, ParticipantSummary[]>();
  for (const row of rows) {
    const list = byAttempt.get(row.attempt_id) ?? [];
    list.push(participantSummary(row, stages.get(row.id) ?? []));
    byAttempt.set(row.attempt_id, list);
  }
  return byAttempt;
}

async function stagesOf(queries: Queries, participantIds: string[]): Promise<Map<string, StageView[]>> {
  const rows = await queries.rows(
    STAGE,
    'select * from attempt_stage where participant_id = any($1) order by started_at, ended_at nulls last',
    [participantIds],
  );
  const byParticipant = new Map<string, StageView[]>();
  const usual = await usualStageTimes(
    queries,
    rows.filter(({ ended_at }) => ended_at === null).map(({ participant_id }) => participant_id),
  );
  for (const row of rows) {
    const list = byParticipant.get(row.participant_id) ?? [];
    const usualMs = row.ended_at === null ? usual.get(row.participant_id)?.get(row.stage) : undefined;
    list.push({
      stage: row.stage,
      status: row.status,
      startedAt: row.started_at.toISOString(),
      endedAt: row.ended_at?.toISOString() ?? null,
      detail: row.detail,
      ...(usualMs === undefined ? {} : { usualMs }),
    });
    byParticipant.set(row.participant_id, list);
  }
  return byParticipant;
}

function attemptSummary(row: RowOf<typeof ATTEMPT>, participants: ParticipantSummary[]): AttemptSummary {
  const [first] = participants;
  if (first === undefined) throw new Error(`attempt ${row.id} has no participant`);
  return {
    id: row.id,
    number: row.number,
    state: row.state,
    participants,
    agent: first.agent,
    machine: first.machine,
    fence: first.fence,
    startedAt: row.started_at.toISOString(),
    endedAt: row.ended_at?.toISOString() ?? null,
    failure: failureView(row.failure),
    restored: first.restored,
    stages: first.stages,
    progress:
      row.progress === null
        ? null
        : {
            percent: row.progress.percent,
            text: row.progress.text,
            cached: row.progress.cached ?? row.progress.text === FROM_CACHE,
          },
  };
}

function participantSummary(row: RowOf<typeof PARTICIPANT>, stages: StageView[]): ParticipantSummary {
  return {
    id: row.id,
    role: row.role,
    state: row.state,
    agent: row.agent,
    machine: row.machine,
    build: { id: row.build_id, name: row.build_name },
    fence: row.fence,
    startedAt: row.started_at.toISOString(),
    endedAt: row.ended_at?.toISOString() ?? null,
    failure: failureView(row.failure),
    restored: row.restored,
    stages,
    prediction: row.prediction,
    clock:
      row.clock_offset_ms === null || row.clock_error_ms === null
        ? null
        : { offsetMs: row.clock_offset_ms, errorMs: row.clock_error_ms },
  };
}

function failureView(failure: StoredFailure | null): AttemptSummary['failure'] {
  if (failure === null) return null;
  const { trouble: _trouble, ...shown } = failure;
  return { ...shown, help: FAILURE_POLICY[failure.class].help };
}
