import { Injectable } from '@nestjs/common';
import type { FromAgent, LogLine, LogPage, LogStream } from '@peerlab/contracts';
import { AttemptService } from '../dispatch/attempt.service.js';
import { announce } from '../platform/database/bus.js';
import { storable } from '../platform/database/storable.js';
import { Sql } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';

type LogFrame = Pick<Extract<FromAgent, { type: 'log' }>, 'attemptId' | 'fence' | 'stream' | 'lines'>;

/** The lines that extend a stored prefix of `next` lines without a gap. Lines inside the prefix are skipped. */
export function extendingLines(next: number, lines: readonly LogLine[]): LogLine[] {
  const taken: LogLine[] = [];
  for (const line of lines) {
    if (line.seq > next + taken.length) break;
    if (line.seq === next + taken.length) taken.push(line);
  }
  return taken;
}

/** Log lines: appended once and without gaps, read by range. */
@Injectable()
export class LogService {
  readonly #sql: Sql;
  readonly #attempts: AttemptService;

  constructor(sql: Sql, attempts: AttemptService) {
    this.#sql = sql;
    this.#attempts = attempts;
  }

  /** Returns how many lines of the stream are stored now. Throws StaleFence. */
  async append(agent: string, { attemptId, fence, stream, lines }: LogFrame): Promise<number> {
    return this.#sql.transaction(async (tx) => {
      await this.#attempts.checkFence(tx, attemptId, fence, agent, 'share');
      const counter = await tx.one<{ next: number }>(
        'select next from stream where attempt_id = $1 and stream = $2 for update',
        [attemptId, stream],
      );
      const first = counter?.next ?? 0;
      const taken = extendingLines(first, lines);
      if (taken.length === 0) return first;
      const next = first + taken.length;
      await tx.run(
        `insert into log_line (attempt_id, stream, seq, at, text)
         select $1::uuid, $2::text, * from unnest($3::bigint[], $4::bigint[], $5::text[]) on conflict do nothing`,
        [
          attemptId,
          stream,
          taken.map(({ seq }) => seq),
          taken.map(({ at }) => at),
          taken.map(({ text }) => storable(text)),
        ],
      );
      await tx.run('update stream set next = $3 where attempt_id = $1 and stream = $2', [attemptId, stream, next]);
      await announce(tx, { type: 'log', attemptId, stream, next });
      return next;
    });
  }

  /** Up to `limit` lines from sequence number `from` on. */
  async page(attemptId: string, stream: LogStream, from: number, limit: number): Promise<LogPage> {
    // The counter first: lines stored in between are simply not announced yet.
    const counter = await this.#sql.one<{ next: number; complete: boolean }>(
      `select s.next, t.state = 'ended' and (t.revoked_at is not null or s.next >= coalesce(s.expected, 0)) as complete
       from stream s join attempt t on t.id = s.attempt_id where s.attempt_id = $1 and s.stream = $2`,
      [attemptId, stream],
    );
    if (counter === null) throw notFound('attempt', attemptId);
    const lines = await this.lines(attemptId, stream, from, Math.min(from + limit, counter.next));
    return { attemptId, stream, lines, total: counter.next, complete: counter.complete };
  }

  /** Stored lines with from ≤ seq < to. */
  async lines(attemptId: string, stream: LogStream, from: number, to: number): Promise<LogLine[]> {
    if (to <= from) return [];
    return this.#sql.rows<LogLine>(
      `select seq, at, text from log_line where attempt_id = $1 and stream = $2 and seq >= $3 and seq < $4 order by seq`,
      [attemptId, stream, from, to],
    );
  }

  /** The whole stream as text, in pieces of a few thousand lines. */
  async *text(attemptId: string, stream: LogStream): AsyncGenerator<string> {
    const PIECE = 5000;
    for (let from = 0; ; from += PIECE) {
      const lines = await this.lines(attemptId, stream, from, from + PIECE);
      if (lines.length > 0) yield `${lines.map(({ text }) => text).join('\n')}\n`;
      if (lines.length < PIECE) return;
    }
  }
}
