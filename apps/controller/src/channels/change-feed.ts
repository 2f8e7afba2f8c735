import { Injectable } from '@nestjs/common';
import type { LiveCursor } from '@peerlab/contracts';
import { forgetChanges, noteChanges } from '../platform/database/bus.js';
import { Sql } from '../platform/database/sql.js';

/** How long changes are kept for reconnecting browsers, in seconds. */
const KEPT_SECONDS = 3600;

export interface Changes {
  /** As of now. */
  cursor: LiveCursor;
  /** For each cursor asked about, in order: the topics changed since; null when it cannot be said. */
  changed: (string[] | null)[];
}

/**
 * What changed since a cursor. A cursor names the cluster and database, and a snapshot: the transactions
 * that it saw. Numbers drawn by the transactions would not do, as they commit in another order than they
 * draw; whether a snapshot saw a transaction is exact, and the same for every controller.
 */
@Injectable()
export class ChangeFeed {
  readonly #sql: Sql;
  #place: Promise<string> | null = null;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Reads all of it as of one moment, so that what is told up to `cursor` need not be told again. */
  async read(cursors: readonly (LiveCursor | null)[]): Promise<Changes> {
    const place = await (this.#place ??= this.#readPlace());
    const snapshots = cursors.map((cursor) => snapshotOf(cursor, place));
    const asked = snapshots.filter((snapshot) => snapshot !== null);
    const row = await this.#sql.one<{ snapshot: string; changed: (string[] | null)[] | null }>(
      // The oldest change that is left tells how far back the memory goes.
      `select pg_current_snapshot()::text as snapshot,
         (select jsonb_agg(case when pg_snapshot_xmin(s.seen)::text::bigint > oldest.xact then (
            select coalesce(jsonb_agg(distinct c.topic), '[]') from change c
            where c.xact >= pg_snapshot_xmin(s.seen)::text::bigint
              and not pg_visible_in_snapshot(c.xact::text::xid8, s.seen)) end order by s.position)
          from unnest($1::pg_snapshot[]) with ordinality as s(seen, position)) as changed
       from (select min(xact) as xact from change) oldest`,
      [asked],
    );
    if (row === null) throw new Error('the database took no snapshot');
    const answers = row.changed ?? [];
    let answered = 0;
    const changed = snapshots.map((snapshot) => (snapshot === null ? null : (answers[answered++] ?? null)));
    return { cursor: `${place}/${row.snapshot}`, changed };
  }

  /** Notes what a controller of the version before announced only; several may note the same. */
  async note(topics: readonly string[]): Promise<void> {
    await noteChanges(this.#sql, topics);
  }

  /** Forgets what is older than an hour. */
  async forget(): Promise<void> {
    await forgetChanges(this.#sql, KEPT_SECONDS);
  }

  /** Transactions are numbered by the cluster; a database restored beside the old one is another farm. */
  async #readPlace(): Promise<string> {
    try {
      const row = await this.#sql.one<{ place: string }>(
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

/** The snapshot in a cursor; null for none, for one of another place, and for what no controller wrote. */
export function snapshotOf(cursor: LiveCursor | null, place: string): string | null {
  if (cursor === null || !cursor.startsWith(`${place}/`)) return null;
  const text = cursor.slice(place.length + 1);
  const parts = /^(\d{1,18}):(\d{1,18}):((?:\d{1,18}(?:,\d{1,18})*)?)$/.exec(text);
  if (parts === null) return null;
  const [, from = '', until = '', list = ''] = parts;
  const running = list === '' ? [] : list.split(',').map(BigInt);
  const [xmin, xmax] = [BigInt(from), BigInt(until)];
  if (xmin === 0n || xmin > xmax) return null;
  // As Postgres reads it: in order, and between both ends.
  const isOrdered = running.every((xid, at) => xid >= xmin && xid < xmax && xid > (running[at - 1] ?? 0n));
  return isOrdered ? text : null;
}
