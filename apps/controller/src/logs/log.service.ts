import { Injectable } from '@nestjs/common';
import {
  joinedText,
  type FromAgent,
  type LogLine,
  type LogPage,
  type LogStream,
  type StageLines,
} from '@peerlab/contracts';
import { ParticipantStore } from '../attempts/participant-store.js';
import { LINE_ROW_BYTES, StreamStore } from '../attempts/stream-store.js';
import { announce } from '../platform/database/bus.js';
import { jsonb, storable } from '../platform/database/storable.js';
import { bool, columnsOf, pick, type RowOf } from '../platform/database/row-shape.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';
import { Participant } from '../schema/attempts.js';
import { LogLineRow, Stream } from '../schema/logs.js';
import { AttemptStage } from '../schema/results.js';

type LogFrame = Pick<Extract<FromAgent, { type: 'log' }>, 'participantId' | 'fence' | 'stream' | 'lines'>;

/** The lines that extend a stored prefix of `next` lines without a gap. Lines inside the prefix are skipped. */
export function extendingLines(next: number, lines: readonly LogLine[]): LogLine[] {
  const taken: LogLine[] = [];
  for (const line of lines) {
    if (line.seq > next + taken.length) break;
    if (line.seq === next + taken.length) taken.push(line);
  }
  return taken;
}

/** How long lines of a participant that lost its lease may still arrive: its agent may be offline for a while. */
const LATE_EVIDENCE_SECONDS = 3600;

const STREAM = columnsOf(Stream);
const STAGE = pick(columnsOf(AttemptStage), 'stage', 'started_at');
const STORED_LINE = pick(columnsOf(LogLineRow), 'seq', 'at', 'text', 'continues', 'gap');

/** Estimated size of a stored line in the database, in bytes. */
const lineBytes = ({ text }: LogLine): number => Buffer.byteLength(text) + LINE_ROW_BYTES;

/** Log lines: appended once and without gaps, read by range. */
@Injectable()
export class LogService {
  readonly #sql: Sql;
  readonly #participants: ParticipantStore;
  readonly #streams: StreamStore;

  constructor(sql: Sql, participants: ParticipantStore, streams: StreamStore) {
    this.#sql = sql;
    this.#participants = participants;
    this.#streams = streams;
  }

  /** Returns how many lines of the stream are stored now. Throws StaleFence. */
  async append(agent: string, { participantId, fence, stream, lines }: LogFrame): Promise<number> {
    return this.#sql.transaction(async (tx) => {
      const { attemptId } = await this.#participants.checkFence(tx, participantId, fence, agent, 'share');
      const first = await this.#streams.lockNext(tx, participantId, stream);
      const taken = extendingLines(first, lines);
      if (taken.length === 0) return first;
      const next = first + taken.length;
      await insertLines(tx, participantId, stream, taken);
      const bytes = taken.reduce((sum, line) => sum + lineBytes(line), 0);
      await this.#streams.advance(tx, participantId, stream, next, bytes);
      await announce(tx, { type: 'log', attemptId, stream, next });
      return next;
    });
  }

  /** Removes all lines of participants; returns how many there were. */
  async remove(tx: Queries, participantIds: readonly string[]): Promise<number> {
    return tx.run('delete from log_line where participant_id = any($1)', [participantIds]);
  }

  /** Makes the space of removed lines reusable in Postgres. VACUUM cannot run in a transaction. */
  async vacuum(): Promise<void> {
    await this.#sql.run('vacuum log_line');
  }

  /** The participant of an attempt with this role, or the first one; null when there is none. */
  async findParticipant(attemptId: string, role: string | undefined): Promise<string | null> {
    const row = await this.#sql.one(
      pick(columnsOf(Participant), 'id'),
      `select id from participant where attempt_id = $1 and ($2::text is null or role = $2) order by position limit 1`,
      [attemptId, role ?? null],
    );
    return row?.id ?? null;
  }

  /** As above; throws a 404 problem when there is none. */
  async participantOf(attemptId: string, role: string | undefined): Promise<string> {
    const id = await this.findParticipant(attemptId, role);
    if (id !== null) return id;
    throw role === undefined ? notFound('attempt', attemptId) : notFound('role', `${role} of attempt ${attemptId}`);
  }

  /** Up to `limit` lines from sequence number `from` on. Throws a 404 problem when there is no such participant. */
  async page(
    attemptId: string,
    { role, stream, from, limit }: { role?: string | undefined; stream: LogStream; from: number; limit: number },
  ): Promise<LogPage> {
    const participantId = await this.participantOf(attemptId, role);
    // The counter first: lines stored between the two reads are left to the next request.
    const counter = await this.#sql.one(
      { ...pick(STREAM, 'next', 'removed_at'), complete: bool },
      `select s.next, s.removed_at, p.state = 'ended' and case
           when p.revoked_at is null then s.next >= coalesce(s.expected, 0)
           when s.expected is not null then s.next >= s.expected
           else p.revoked_at < clock_timestamp() - make_interval(secs => $3) end as complete
       from stream s join participant p on p.id = s.participant_id where s.participant_id = $1 and s.stream = $2`,
      [participantId, stream, LATE_EVIDENCE_SECONDS],
    );
    if (counter === null) throw notFound('attempt', attemptId);
    if (counter.removed_at !== null) {
      return { attemptId, stream, lines: [], total: 0, complete: true, removedAt: counter.removed_at.toISOString() };
    }
    const lines = await this.lines(participantId, stream, from, Math.min(from + limit, counter.next));
    return { attemptId, stream, lines, total: counter.next, complete: counter.complete, removedAt: null };
  }

  /** Stored lines with from ≤ seq < to. */
  async lines(participantId: string, stream: LogStream, from: number, to: number): Promise<LogLine[]> {
    if (to <= from) return [];
    const rows = await this.#sql.rows(
      STORED_LINE,
      `select seq, at, text, continues, gap from log_line
       where participant_id = $1 and stream = $2 and seq >= $3 and seq < $4 order by seq`,
      [participantId, stream, from, to],
    );
    return rows.map(lineOf);
  }

  /** Where each stage of the attempt begins in the stream: one pass over its lines, which have no index of their times. */
  async stageLines(attemptId: string, stream: LogStream, role?: string): Promise<StageLines> {
    const { total } = await this.page(attemptId, { role, stream, from: 0, limit: 0 });
    const participantId = await this.participantOf(attemptId, role);
    const begun = await this.#sql.rows(
      STAGE,
      'select stage, started_at from attempt_stage where participant_id = $1 order by started_at, stage',
      [participantId],
    );
    const stages: StageLines['stages'] = [];
    let fromSeq = 0;
    for (const { stage, started_at: at } of begun) {
      const first = await this.#sql.one(
        pick(columnsOf(LogLineRow), 'seq'),
        `select seq from log_line where participant_id = $1 and stream = $2 and seq >= $3 and at >= $4
         order by seq limit 1`,
        [participantId, stream, fromSeq, at.getTime()],
      );
      fromSeq = first?.seq ?? total;
      stages.push({ stage, fromSeq });
    }
    return { stages };
  }

  /** The whole stream as text, in pieces of some thousand lines; the parts of a long line are joined. */
  async *text(participantId: string, stream: LogStream): AsyncGenerator<string> {
    const PIECE = 5000;
    for (let from = 0; ; from += PIECE) {
      const lines = await this.lines(participantId, stream, from, from + PIECE);
      if (lines.length > 0) yield joinedText(lines, from === 0);
      if (lines.length === PIECE) continue;
      if (lines.length > 0 || from > 0) yield '\n';
      return;
    }
  }
}

/** Optional fields are left out where they are null: nearly all lines have none. */
function lineOf({ seq, at, text, continues, gap }: RowOf<typeof STORED_LINE>): LogLine {
  const line: LogLine = { seq, at, text };
  if (continues === true) line.continues = true;
  if (gap !== null) line.gap = gap;
  return line;
}

async function insertLines(
  tx: Queries,
  participantId: string,
  stream: LogStream,
  lines: readonly LogLine[],
): Promise<void> {
  const values: unknown[] = [
    participantId,
    stream,
    lines.map(({ seq }) => seq),
    lines.map(({ at }) => at),
    lines.map(({ text }) => storable(text)),
  ];
  const isPlain = lines.every(({ continues, gap }) => continues !== true && gap === undefined);
  if (!isPlain) {
    values.push(
      lines.map(({ continues }) => continues ?? null),
      lines.map(({ gap }) => jsonb(gap)),
    );
  }
  await tx.run(
    `insert into log_line (participant_id, stream, seq, at, text${isPlain ? '' : ', continues, gap'})
     select $1::uuid, $2::text, * from unnest($3::bigint[], $4::bigint[], $5::text[]${isPlain ? '' : ', $6::boolean[], $7::jsonb[]'})
     on conflict do nothing`,
    values,
  );
}
