import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import {
  TERMINAL_RECORD_MAX_BYTES,
  TERMINALS_KEPT,
  TERMINALS_OPEN_MAX,
  type TerminalKind,
  type TerminalRecord,
  type TerminalSize,
} from '@peerlab/contracts';
import { announce } from '../platform/database/bus.js';
import { bool, columnsOf, integer, nullable, pick, text, uuid, type RowOf } from '../platform/database/row-shape.js';
import { storable } from '../platform/database/storable.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { notFound, ProblemError } from '../platform/http/problem.js';
import { TerminalOutput, TerminalRow } from '../schema/terminals.js';

const TERMINAL = columnsOf(TerminalRow);
const OUTPUT = pick(columnsOf(TerminalOutput), 'number', 'data');
export type OutputPiece = RowOf<typeof OUTPUT>;

/** Nobody took a new terminal, and the controller of its person did not show itself, for so long, in seconds. */
const UNTAKEN_SECONDS = 15;
const UNSEEN_SECONDS = 30;
/** Pieces that are read at once. */
const READ_MAX = 16;
/** Open terminals that one pass looks at. */
const PASS_MAX = 200;

/** What a person asks for. */
export type TerminalRequest = TerminalSize & { machine: string; kind: TerminalKind };

/** What is to be said to the agent of a terminal. */
export type TerminalWork =
  | ({ type: 'open'; machine: string; kind: TerminalKind } & TerminalSize)
  | { type: 'close'; reason: string };

/**
 * Terminals and what they print. The person and the agent may be connected to different controllers: output goes through the
 * table, where it is kept anyway, and hints tell where to read on; what is typed goes as a hint alone and is stored nowhere.
 */
@Injectable()
export class TerminalStore {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /**
   * Opens a terminal. Throws a 404 problem; 403 where a shell is asked for by another than the holder of the machine's reservation;
   * 409 where its agent is away or cannot, and 429 where too many are open.
   */
  async open(by: string, { machine, kind, columns, rows }: TerminalRequest): Promise<{ id: string; agent: string }> {
    return this.#sql.transaction(async (tx) => {
      const found = await tx.one(
        { agent: text, online: bool, can: bool, reservation: nullable(uuid), holder: nullable(text), open: integer },
        `select m.agent, agent_online(a) as online, a.opens_terminals as can, r.id as reservation, r.holder,
           (select count(*)::int from terminal t where t.machine = m.name and t.closed_at is null) as open
         from machine m join agent a on a.name = m.agent
           left join reservation r on r.id = m.reserved and r.state = 'held'
         where m.name = $1 and not m.forgotten for no key update of m`,
        [machine],
      );
      if (found === null) throw notFound('machine', machine);
      const { agent, holder } = found;
      if (kind === 'shell' && holder !== by) throw notHeld(machine, holder);
      if (!found.online) throw new ProblemError(409, 'agent-away', `the agent ${agent} of ${machine} is not connected`);
      if (!found.can) {
        throw new ProblemError(409, 'agent-too-old', `the agent ${agent} opens no terminals`, { detail: 'update it' });
      }
      if (found.open >= TERMINALS_OPEN_MAX) {
        throw new ProblemError(429, 'too-many-terminals', `${found.open} terminals of ${machine} are open`, {
          detail: 'close one and try again',
        });
      }
      const id = randomUUID();
      await tx.run(
        `insert into terminal (id, machine, reservation_id, kind, by, columns, rows) values ($1, $2, $3, $4, $5, $6, $7)`,
        [id, machine, kind === 'shell' ? found.reservation : null, kind, by, columns, rows],
      );
      await tx.run(
        `delete from terminal where id in (
           select id from terminal where machine = $1 and closed_at is not null order by opened_at desc offset $2)`,
        [machine, TERMINALS_KEPT],
      );
      await announce(tx, { type: 'terminal-work', agent, terminalId: id });
      return { id, agent };
    });
  }

  /** What the agent of this connection is to do with a terminal; null = nothing. Of several connections one gets it. */
  async work(agent: string, connection: string, id: string): Promise<TerminalWork | null> {
    const opened = await this.#sql.one(
      pick(TERMINAL, 'machine', 'kind', 'columns', 'rows'),
      `update terminal t set connection = $3 from machine m
       where t.id = $1 and m.name = t.machine and m.agent = $2 and t.connection is null and t.closed_at is null
       returning t.machine, t.kind, t.columns, t.rows`,
      [id, agent, connection],
    );
    if (opened !== null) return { type: 'open', ...opened };
    const closed = await this.#sql.one(
      pick(TERMINAL, 'why'),
      'select why from terminal where id = $1 and connection = $2 and closed_at is not null',
      [id, connection],
    );
    return closed === null ? null : { type: 'close', reason: closed.why ?? 'it was closed' };
  }

  /**
   * Stores what a terminal printed; false when it is closed, of another connection, or when a piece is missing. What was
   * stored before is skipped. Beyond TERMINAL_RECORD_MAX_BYTES the oldest pieces go.
   */
  async take(connection: string, { id, number, data }: { id: string; number: number; data: Buffer }): Promise<boolean> {
    return this.#sql.transaction(async (tx) => {
      const row = await tx.one(
        pick(TERMINAL, 'next', 'kept_bytes'),
        'select next, kept_bytes from terminal where id = $1 and connection = $2 and closed_at is null for update',
        [id, connection],
      );
      if (row === null || number > row.next) return false;
      if (number < row.next) return true;
      await tx.run('insert into terminal_output (terminal_id, number, data) values ($1, $2, $3)', [id, number, data]);
      const kept = row.kept_bytes + data.length;
      const removed = kept > TERMINAL_RECORD_MAX_BYTES ? await removeOldest(tx, id) : 0;
      await tx.run('update terminal set next = $2, kept_bytes = $3, removed_bytes = removed_bytes + $4 where id = $1', [
        id,
        number + 1,
        kept - removed,
        removed,
      ]);
      await announce(tx, { type: 'terminal-output', terminalId: id });
      return true;
    });
  }

  /** The next pieces from a number on, and why nothing will follow them; `why` null = it is open. */
  async read(id: string, from: number): Promise<{ pieces: OutputPiece[]; why: string | null }> {
    // Why first: what was printed before it was closed is then seen.
    const row = await this.#sql.one(
      { why: nullable(text) },
      `select case when closed_at is not null then coalesce(why, 'it was closed') end as why from terminal where id = $1`,
      [id],
    );
    const pieces = await this.#sql.rows(
      OUTPUT,
      'select number, data from terminal_output where terminal_id = $1 and number >= $2 order by number limit $3',
      [id, from, READ_MAX],
    );
    return { pieces, why: row === null ? 'it is gone' : row.why };
  }

  /** Closes a terminal, once; both ends are told. @param connection only while this connection of its agent has it */
  async close(id: string, why: string, connection: string | null = null): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      const row = await tx.one(
        { machine: text },
        `update terminal set closed_at = clock_timestamp(), why = $2
         where id = $1 and closed_at is null and ($3::uuid is null or connection = $3) returning machine`,
        [id, storable(why), connection],
      );
      if (row === null) return;
      const owner = await tx.one({ agent: text }, 'select agent from machine where name = $1', [row.machine]);
      const agent = owner?.agent ?? '';
      await announce(tx, { type: 'terminal-work', agent, terminalId: id }, { type: 'terminal-output', terminalId: id });
    });
  }

  /** The persons at these terminals are there. */
  async seen(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#sql.run('update terminal set seen_at = clock_timestamp() where id = any($1) and closed_at is null', [
      ids,
    ]);
  }

  /** Closes what nobody has any more at one of its ends, also of controllers and agents that died. */
  async pass(): Promise<void> {
    const over = await this.#sql.rows(
      { id: uuid, why: text },
      `select * from (
         select t.id, case
           when t.seen_at < clock_timestamp() - interval '${UNSEEN_SECONDS} seconds' then 'its user is gone'
           when t.kind = 'shell' and (r.id is null or r.state <> 'held') then 'the reservation is over'
           when t.connection is not null and (not agent_online(a) or a.connection is distinct from t.connection)
             then 'the connection of the agent ' || a.name || ' was lost'
           when t.connection is null and t.opened_at < clock_timestamp() - interval '${UNTAKEN_SECONDS} seconds'
             then 'the agent ' || a.name || ' did not answer' end as why
         from terminal t join machine m on m.name = t.machine join agent a on a.name = m.agent
           left join reservation r on r.id = t.reservation_id
         where t.closed_at is null) looked where why is not null limit ${PASS_MAX}`,
    );
    for (const { id, why } of over) await this.close(id, why);
  }

  /** Who had terminals of a machine, newest first. */
  async list(machine: string): Promise<TerminalRecord[]> {
    const rows = await this.#sql.rows(
      pick(
        TERMINAL,
        'id',
        'machine',
        'kind',
        'reservation_id',
        'by',
        'columns',
        'rows',
        'opened_at',
        'closed_at',
        'why',
        'kept_bytes',
        'removed_bytes',
      ),
      `select id, machine, kind, reservation_id, by, columns, rows, opened_at, closed_at, why, kept_bytes, removed_bytes
       from terminal where machine = $1 order by opened_at desc, id limit $2`,
      [machine, 2 * TERMINALS_KEPT],
    );
    return rows.map((row) => ({
      id: row.id,
      machine: row.machine,
      kind: row.kind,
      reservationId: row.reservation_id,
      by: row.by,
      columns: row.columns,
      rows: row.rows,
      openedAt: row.opened_at.toISOString(),
      closedAt: row.closed_at?.toISOString() ?? null,
      why: row.why,
      keptBytes: row.kept_bytes,
      removedBytes: row.removed_bytes,
    }));
  }

  /** What is kept of what a terminal printed, in order. Throws a 404 problem before the first piece. */
  async output(id: string): Promise<AsyncGenerator<Buffer>> {
    if (!(await this.#sql.exists('select 1 from terminal where id = $1', [id]))) throw notFound('terminal', id);
    return this.#pieces(id);
  }

  async *#pieces(id: string): AsyncGenerator<Buffer> {
    for (let next = 0; ; ) {
      const { pieces } = await this.read(id, next);
      for (const { data } of pieces) yield data;
      const last = pieces.at(-1);
      if (last === undefined) return;
      next = last.number + 1;
    }
  }
}

/** Removes pieces until a quarter of the room is free; @returns how many bytes that were */
async function removeOldest(tx: Queries, id: string): Promise<number> {
  const row = await tx.one(
    { bytes: integer },
    `with sized as (
       select number, sum(length(data)) over (order by number desc) as behind from terminal_output where terminal_id = $1),
     gone as (
       delete from terminal_output o using sized s
       where o.terminal_id = $1 and o.number = s.number and s.behind > $2 returning length(o.data) as bytes)
     select coalesce(sum(bytes), 0)::bigint as bytes from gone`,
    [id, TERMINAL_RECORD_MAX_BYTES * 0.75],
  );
  return row?.bytes ?? 0;
}

function notHeld(machine: string, holder: string | null): ProblemError {
  const title = holder === null ? `${machine} is not reserved` : `${machine} is reserved by ${holder}`;
  return new ProblemError(403, 'not-holder', title, {
    detail: `a shell is for who has the machine: peerlab reserve ${machine} --for 2h --reason TEXT`,
  });
}
