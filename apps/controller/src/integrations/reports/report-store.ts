import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { columnsOf, pick } from '../../platform/database/row-shape.js';
import { jsonb } from '../../platform/database/storable.js';
import type { Queries } from '../../platform/database/sql.js';
import { ForgeReport, type ReportNotice } from '../../schema/integrations.js';

const REPORT = columnsOf(ForgeReport);

/** Names a report: one commit of a repository under one name. */
export interface ReportKey {
  /** Name of the hook. */
  source: string;
  repository: string;
  commit: string;
  context: string;
}

/** What a report is about from now on: a run, or why there is none. */
export type ReportSubject = { runId: string; notice: null } | { runId: null; notice: ReportNotice };

/** Under which name the forge shows the run of a template. */
export const contextOf = (template: string): string => `peerlab/${template}`;
/** The template of such a name; null for a name of another make. */
export function templateOf(context: string): string | null {
  const [prefix, template, ...rest] = context.split('/');
  return prefix === 'peerlab' && template !== undefined && template !== '' && rest.length === 0 ? template : null;
}

/** Writes the outbox of reports, in the transactions that change what they say. Sending it: ReportOutbox. */
@Injectable()
export class ReportStore {
  /** The report of a commit under a name; null when there is none. */
  async find(
    queries: Queries,
    { source, repository, commit, context }: ReportKey,
  ): Promise<{
    runId: string | null;
    notice: ReportNotice | null;
  } | null> {
    const row = await queries.one(
      pick(REPORT, 'run_id', 'notice'),
      `select run_id, notice from forge_report where source = $1 and repository = $2 and commit = $3 and context = $4`,
      [source, repository, commit, context],
    );
    return row === null ? null : { runId: row.run_id, notice: row.notice };
  }

  /** What is to be told of a commit from now on. One report of a commit and name stays one, and is updated in place. */
  async put(tx: Queries, key: ReportKey, number: number | null, { runId, notice }: ReportSubject): Promise<void> {
    await tx.run(
      `insert into forge_report as f (id, source, repository, commit, context, number, run_id, notice)
       values ($1, $2, $3, $4, $5, $6, $7, $8)
       on conflict (source, repository, commit, context) do update set
         number = coalesce(excluded.number, f.number), run_id = excluded.run_id, notice = excluded.notice,
         revision = f.revision + 1, due_at = clock_timestamp(), tries = 0, error = null, closed = false`,
      [
        randomUUID(),
        key.source,
        key.repository,
        key.commit,
        key.context,
        number,
        runId,
        notice === null ? null : jsonb(notice),
      ],
    );
  }

  /** Before a run is removed: nothing more is told of it. */
  async forgetRun(tx: Queries, runId: string): Promise<void> {
    await tx.run('update forge_report set run_id = null, closed = true where run_id = $1', [runId]);
  }
}
