import { Injectable } from '@nestjs/common';
import { SpoolStream } from '@peerlab/contracts';
import { columnsOf, integer, pick, word } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { Stream } from '../schema/logs.js';

export type StreamName = (typeof SpoolStream)['options'][number];

const STREAM = columnsOf(Stream);

/** What Postgres stores for a log line besides its text: row header, keys and index entry, in bytes. */
export const LINE_ROW_BYTES = 120;

/**
 * Size of a stream's raw log in bytes, from its counters: the text with one line feed for each line. It is a little too
 * large where long lines were stored in parts.
 */
export const rawLogBytes = ({ lines, bytes }: { lines: number; bytes: number }): number =>
  Math.max(0, bytes - lines * LINE_ROW_BYTES + lines);

/** Counters of a participant's streams: how much of each is stored, and how much there is in all. */
@Injectable()
export class StreamStore {
  /** Locks a counter; resolves to the sequence number that comes next. */
  async lockNext(tx: Queries, participantId: string, stream: StreamName): Promise<number> {
    const counter = await tx.one(
      pick(STREAM, 'next'),
      'select next from stream where participant_id = $1 and stream = $2 for update',
      [participantId, stream],
    );
    return counter?.next ?? 0;
  }

  /** @param bytes what was stored in addition, in bytes */
  async advance(tx: Queries, participantId: string, stream: StreamName, next: number, bytes = 0): Promise<void> {
    await tx.run('update stream set next = $3, bytes = bytes + $4 where participant_id = $1 and stream = $2', [
      participantId,
      stream,
      next,
      bytes,
    ]);
  }

  /** How many lines the agent says that each stream has. */
  async expect(tx: Queries, participantId: string, lineCounts: Readonly<Record<string, number>>): Promise<void> {
    for (const [stream, lines] of Object.entries(lineCounts)) {
      await tx.run('update stream set expected = $3 where participant_id = $1 and stream = $2', [
        participantId,
        stream,
        lines,
      ]);
    }
  }

  /** What is stored of a participant by stream. */
  async acknowledged(queries: Queries, participantId: string): Promise<Partial<Record<StreamName, number>>> {
    const rows = await queries.rows(
      { stream: word<StreamName>(), next: integer },
      'select stream, next from stream where participant_id = $1',
      [participantId],
    );
    return Object.fromEntries(rows.map(({ stream, next }) => [stream, next]));
  }

  /** Whether anything of a participant was stored. */
  async hasAny(queries: Queries, participantId: string): Promise<boolean> {
    return queries.exists('select 1 from stream where participant_id = $1 and next > 0', [participantId]);
  }

  /** Locks the counters of participants, in the order that everything else locks them. */
  async lockAll(tx: Queries, participantIds: readonly string[]): Promise<void> {
    await tx.run('select 1 from stream where participant_id = any($1) order by participant_id, stream for update', [
      participantIds,
    ]);
  }

  /**
   * Notes that the lines of these participants are removed; resolves to the bytes that they had. The counter of
   * the events stays: the results that they brought remain.
   */
  async markRemoved(tx: Queries, participantIds: readonly string[]): Promise<number> {
    const weight = await tx.one(
      { bytes: integer },
      `with old as (select coalesce(sum(bytes), 0)::bigint as bytes from stream where participant_id = any($1)),
         emptied as (update stream set bytes = 0, removed_at = clock_timestamp()
           where participant_id = any($1) and stream <> 'events' and next > 0)
       select bytes from old`,
      [participantIds],
    );
    return weight?.bytes ?? 0;
  }
}
