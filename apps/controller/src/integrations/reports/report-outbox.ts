import { Injectable } from '@nestjs/common';
import type { ReportState, ReportView } from '@peerlab/contracts';
import { columnsOf, json, nullable, pick, text, type RowOf } from '../../platform/database/row-shape.js';
import { jsonb } from '../../platform/database/storable.js';
import { Sql } from '../../platform/database/sql.js';
import { notFound } from '../../platform/http/problem.js';
import { ForgeReport, type RemoteIds } from '../../schema/integrations.js';

const REPORT = columnsOf(ForgeReport);
const CLAIMED = {
  ...pick(REPORT, 'id', 'source', 'repository', 'commit', 'context', 'number', 'run_id', 'notice', 'remote'),
  ...pick(REPORT, 'claim', 'tries', 'said'),
  wanted: text,
};
/** A report that this controller is to send now, under the fence of its claim. */
export type ClaimedReport = RowOf<typeof CLAIMED>;

/** How long a claim lasts: longer than all requests of one report may take together. */
export const CLAIM_SECONDS = 120;
/** Reports that one controller sends at once. */
const CLAIMS_AT_ONCE = 4;
/** Pause after the first failure, and the longest one. */
const PAUSE_SECONDS = 5;
const PAUSE_MAX_SECONDS = 3600;
/** After as many failures nothing is tried any more: about three days. */
export const TRIES_MAX = 80;
/** How long a run that has ended is looked at for late results. */
const LATE_SECONDS = 3600;

/** How long reports without a run are kept. */
const IDLE_DAYS = 90;

/** What a report has to say, in short: when it differs from what was said, it is sent. */
const WANTED = `f.revision || case when r.id is null then '' else ' ' || r.state end ||
  case when r.state = 'ended' then ' ' || coalesce(r.verdict, '') || ' ' || r.counts::text else '' end`;

const LISTED = {
  ...pick(REPORT, 'id', 'source', 'repository', 'commit', 'context', 'number', 'tries', 'error', 'said', 'said_at'),
  ...pick(REPORT, 'due_at', 'closed'),
  wanted: text,
  run: nullable(json<NonNullable<ReportView['run']>>()),
};

const LIST = `select f.id, f.source, f.repository, f.commit, f.context, f.number, f.tries, f.error, f.said, f.said_at, f.due_at,
    f.closed, ${WANTED} as wanted,
    case when r.id is not null then jsonb_build_object('id', r.id, 'name', r.name) end as run
  from forge_report f left join run r on r.id = f.run_id`;

/** Pause before the next try, in seconds. @param tries that failed */
export function pauseAfter(tries: number, randomness: number): number {
  const pause = Math.min(PAUSE_MAX_SECONDS, PAUSE_SECONDS * 2 ** Math.min(tries - 1, 20));
  return pause * (0.75 + randomness / 2);
}

/** The outbox of reports: what is due, claimed by one controller at a time, and what became of it. */
@Injectable()
export class ReportOutbox {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Claims reports of these hooks whose forge was told something else than what is so. */
  async claim(sources: readonly string[]): Promise<ClaimedReport[]> {
    if (sources.length === 0) return [];
    return this.#sql.rows(
      CLAIMED,
      `update forge_report f set claim = f.claim + 1,
         claimed_until = clock_timestamp() + make_interval(secs => ${CLAIM_SECONDS})
       from (
         select f.id, ${WANTED} as wanted from forge_report f left join run r on r.id = f.run_id
         where not f.closed and f.source = any($1) and f.due_at <= clock_timestamp()
           and (f.claimed_until is null or f.claimed_until < clock_timestamp())
           and f.said is distinct from (${WANTED})
         order by f.due_at limit ${CLAIMS_AT_ONCE} for update of f skip locked
       ) due where due.id = f.id
       returning f.id, f.source, f.repository, f.commit, f.context, f.number, f.run_id, f.notice, f.remote, f.claim, f.tries,
         f.said, due.wanted`,
      [sources],
    );
  }

  /** It arrived. @returns false when the claim was lost: another controller may have sent meanwhile, so it is sent again */
  async sent({ id, claim, wanted }: ClaimedReport, remote: RemoteIds): Promise<boolean> {
    const kept = await this.#sql.run(
      `update forge_report set said = $3, said_at = clock_timestamp(), remote = $4, tries = 0, error = null,
         claimed_until = null where id = $1 and claim = $2`,
      [id, claim, wanted, jsonb(remote)],
    );
    if (kept > 0) return true;
    // A new revision and not "nothing was said": the other controller may still have to record what it said before this.
    await this.#sql.run(
      `update forge_report set revision = revision + 1, due_at = clock_timestamp(), closed = false where id = $1`,
      [id],
    );
    return false;
  }

  /** It did not arrive. @param pauseSeconds until it is tried again */
  async failed(
    { id, claim, tries }: ClaimedReport,
    error: string,
    remote: RemoteIds,
    pauseSeconds: number,
  ): Promise<void> {
    await this.#sql.run(
      `update forge_report set tries = tries + 1, error = $3, remote = $4, claimed_until = null,
         due_at = clock_timestamp() + make_interval(secs => $5), closed = $6
       where id = $1 and claim = $2`,
      [id, claim, error.slice(0, 1000).replaceAll('\u0000', ''), jsonb(remote), pauseSeconds, tries + 1 >= TRIES_MAX],
    );
  }

  /** The note of an earlier commit of the same request under the same name, to be updated instead of a second one. */
  async earlierNote(report: ClaimedReport): Promise<string | null> {
    const row = await this.#sql.one(
      { note: nullable(text) },
      `select remote ->> 'note' as note from forge_report
       where source = $1 and repository = $2 and number = $3 and context = $4 and remote ? 'note'
       order by created_at desc limit 1`,
      [report.source, report.repository, report.number, report.context],
    );
    return row?.note ?? null;
  }

  /** Whether a later commit of the same request has a report under this name: that one has the note then. */
  async isOutdated(report: ClaimedReport): Promise<boolean> {
    return this.#sql.exists(
      `select 1 from forge_report f join forge_report own on own.id = $1
       where f.source = own.source and f.repository = own.repository and f.number = own.number
         and f.context = own.context and f.created_at > own.created_at limit 1`,
      [report.id],
    );
  }

  /**
   * Closes reports whose run ended long enough ago for late results to have come, and removes old ones without a run:
   * commits of forks that nobody approved, and runs that retention removed.
   */
  async closeOld(): Promise<void> {
    await this.#sql.run(
      `delete from forge_report where run_id is null and created_at < clock_timestamp() - make_interval(days => $1)`,
      [IDLE_DAYS],
    );
    await this.#sql.run(
      `update forge_report set closed = true where id in (
         select f.id from forge_report f left join run r on r.id = f.run_id
         where not f.closed and f.said = (${WANTED}) and f.said_at < clock_timestamp() - make_interval(secs => $1)
           and r.state = 'ended' order by f.id for update of f skip locked)`,
      [LATE_SECONDS],
    );
  }

  /** Sends a report at once, whatever was sent before. Throws ProblemError 404. */
  async sendAgain(id: string, sources: ReadonlySet<string>): Promise<ReportView> {
    const found = await this.#sql.run(
      `update forge_report set said = null, due_at = clock_timestamp(), tries = 0, error = null, closed = false
       where id = $1`,
      [id],
    );
    const row = found === 0 ? null : await this.#sql.one(LISTED, `${LIST} where f.id = $1`, [id]);
    if (row === null) throw notFound('report', id);
    return viewOf(row, sources);
  }

  /** The newest first. @param sources hooks that report */
  async list(limit: number, sources: ReadonlySet<string>): Promise<ReportView[]> {
    const rows = await this.#sql.rows(LISTED, `${LIST} order by f.created_at desc, f.id limit $1`, [limit]);
    return rows.map((row) => viewOf(row, sources));
  }
}

function viewOf(row: RowOf<typeof LISTED>, sources: ReadonlySet<string>): ReportView {
  const state = stateOf(row, sources);
  return {
    id: row.id,
    source: row.source,
    repository: row.repository,
    commit: row.commit,
    number: row.number,
    context: row.context,
    state,
    tries: row.tries,
    error: row.error,
    sentAt: row.said_at?.toISOString() ?? null,
    nextAt: state === 'failing' ? row.due_at.toISOString() : null,
    run: row.run,
  };
}

function stateOf(row: RowOf<typeof LISTED>, sources: ReadonlySet<string>): ReportState {
  if (!sources.has(row.source)) return 'not configured';
  if (row.said === row.wanted) return 'sent';
  if (row.closed && row.tries >= TRIES_MAX) return 'given up';
  if (row.closed) return 'sent';
  return row.tries > 0 ? 'failing' : 'waiting';
}
