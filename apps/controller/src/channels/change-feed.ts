import { Injectable } from '@nestjs/common';
import type { LiveCursor } from '@peerlab/contracts';
import { forgetChanges, noteChanges } from '../platform/database/bus.js';
import { json, nullable, text } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';

/** How long changes are kept for reconnecting browsers, in seconds. */
const KEPT_SECONDS = 3600;

export interface Changes {
  /** As of now. */
  cursor: LiveCursor;
  /** For each cursor asked about, in order: the topics changed since; null when that is unknown. */
  changed: (string[] | null)[];
}

/**
 * Reads what changed since a cursor. A cursor names the cluster, the database and a snapshot, which defines the
 * transactions that were visible. A sequence would not do: transactions commit in another order than they draw
 * numbers. Whether a transaction is visible in a snapshot is exact, and the same for every controller.
 */
@Injectable()
export class ChangeFeed {
  readonly #sql: Sql;
  #place: Promise<string> | null = null;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Reads all in one snapshot, so that changes up to `cursor` need not be reported again. */
  async read(cursors: readonly (LiveCursor | null)[]): Promise<Changes> {
    const place = await (this.#place ??= this.#readPlace());
    const snapshots = cursors.map((cursor) => snapshotOf(cursor, place));
    const asked = snapshots.filter((snapshot) => snapshot !== null);
    const row = await this.#sql.one(
      { snapshot: text, changed: nullable(json<(string[] | null)[]>()) },
      // The oldest change that is stored tells from when on the changes are complete.
      `select pg_current_snapshot()::text as snapshot,
         (select jsonb_agg(case when pg_snapshot_xmin(s.seen)::text::bigint > oldest.xact then (
            select coalesce(jsonb_agg(distinct c.topic), '[]') from change c
            where c.xact >= pg_snapshot_xmin(s.seen)::text::bigint
              and not pg_visible_in_snapshot(c.xact::text::xid8, s.seen)) end order by s.position)
          from unnest($1::pg_snapshot[]) with ordinality as s(seen, position)) as changed
       from (select min(xact) as xact from change) oldest`,
      [asked],
    );
    if (row === null) throw new Error('the query for the current snapshot returned no row');
    const answers = row.changed ?? [];
    let answered = 0;
    const changed = snapshots.map((snapshot) => (snapshot === null ? null : (answers[answered++] ?? null)));
    return { cursor: `${place}/${row.snapshot}`, changed };
  }

  /** Stores changes that a controller of an earlier version only announced; several controllers may store the same. */
  async note(topics: readonly string[]): Promise<void> {
    await noteChanges(this.#sql, topics);
  }

  /** Deletes changes that are older than KEPT_SECONDS. */
  async forget(): Promise<void> {
    await forgetChanges(this.#sql, KEPT_SECONDS);
  }

  /** Transaction ids are per cluster; a database that was restored beside the old one is another farm. */
  async #readPlace(): Promise<string> {
    try {
      const row = await this.#sql.one(
        { place: text },
        `select system_identifier || '.' || (select oid from pg_database where datname = current_database()) as place
         from pg_control_system()`,
      );
      return row?.place ?? '';
    } catch (error) {
      this.#place = null;
      throw error;
    }
  }
}

/** The snapshot in a cursor; null when there is no cursor, when it is of another database, or when it is malformed. */
export function snapshotOf(cursor: LiveCursor | null, place: string): string | null {
  if (cursor === null || !cursor.startsWith(`${place}/`)) return null;
  const text = cursor.slice(place.length + 1);
  const parts = /^(\d{1,18}):(\d{1,18}):((?:\d{1,18}(?:,\d{1,18})*)?)$/.exec(text);
  if (parts === null) return null;
  const [, from = '', until = '', list = ''] = parts;
  const running = list === '' ? [] : list.split(',').map(BigInt);
  const [xmin, xmax] = [BigInt(from), BigInt(until)];
  if (xmin === 0n || xmin > xmax) return null;
  // As Postgres requires it: ascending, and between both ends.
  const isOrdered = running.every((xid, at) => xid >= xmin && xid < xmax && xid > (running[at - 1] ?? 0n));
  return isOrdered ? text : null;
}
