/** Statements on the farm's database, as FaultFarm runs them. */
interface Database {
  query: <T extends object>(text: string, values?: unknown[]) => Promise<T[]>;
}

/** A row of the controllers' tables as it was after a change. */
export interface TableChange {
  /** Changes of one transaction happen at once. */
  tx: number;
  /** Virtual epoch milliseconds of the statement. */
  atMs: number;
  table: 'participant' | 'stream' | 'run' | 'machine';
  row: Record<string, unknown>;
}

/** Columns whose changes belong to the lease protocol. */
const WATCHED = {
  participant: { events: 'insert or update of state, revoked_at, restored', when: '' },
  stream: { events: 'update of next, expected', when: '' },
  run: { events: 'update of cancel_requested', when: 'when (new.cancel_requested)' },
  machine: { events: 'update of desired', when: '' },
} as const;

/** Statements that let a farm's database note every change of these columns. To be run on the migrated schema. */
function recorder(): string[] {
  return [
    `create table if not exists fault_trace (
       id bigserial primary key, tx bigint not null default txid_current(),
       at_ms double precision not null default extract(epoch from clock_timestamp()) * 1000,
       of_table text not null, body jsonb not null)`,
    `create or replace function fault_trace_note() returns trigger language plpgsql as $$
       begin
         insert into public.fault_trace (of_table, body) values (tg_table_name, to_jsonb(new));
         return null;
       end $$`,
    ...Object.entries(WATCHED).map(
      ([table, { events, when }]) =>
        `create or replace trigger fault_trace after ${events} on ${table} for each row ${when} execute function fault_trace_note()`,
    ),
  ];
}

/** Begins to record what controllers write, without a change in them. */
export async function startRecording(farm: Database): Promise<void> {
  for (const statement of recorder()) await farm.query(statement);
}

/** All that was recorded so far, in order. Later calls give only what came after. */
export async function takeRecording(farm: Database): Promise<TableChange[]> {
  const rows = await farm.query<{
    tx: number;
    at_ms: number;
    of_table: TableChange['table'];
    body: TableChange['row'];
  }>(
    `with taken as (delete from fault_trace returning *)
     select tx, at_ms, of_table, body from taken order by id`,
  );
  return rows.map(({ tx, at_ms, of_table, body }) => ({ tx, atMs: at_ms, table: of_table, row: body }));
}
