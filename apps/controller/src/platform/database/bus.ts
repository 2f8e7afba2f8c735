import { EventEmitter } from 'node:events';
import { log } from '@peerlab/runtime';
import { Client } from 'pg';
import { z } from 'zod';
import { LogStream } from '@peerlab/contracts';
import { pgOptions, type DatabaseAddress } from './connection.js';
import { prepared, type Queries } from './sql.js';

const CHANNEL = 'peerlab';
/** Postgres refuses payloads of 8000 bytes and more. */
const PAYLOAD_MAX = 7000;
const RECONNECT_MS = 500;

/** What replicas tell each other. Only a hint: the receiver reads the tables; what is typed into a terminal is in none. */
export const BusMessage = z.discriminatedUnion('type', [
  /** `noted`: the table `change` has it, too. Controllers of the version before do not write there. */
  z.object({ type: z.literal('changed'), topics: z.array(z.string()), noted: z.literal(true).optional() }),
  z.object({ type: z.literal('log'), attemptId: z.string(), stream: LogStream, next: z.number() }),
  z.object({ type: z.literal('dispatch') }),
  /** Something for this agent to do: an assignment or a cancelation. */
  z.object({ type: z.literal('agent-work'), agent: z.string() }),
  /** How this participant's waiting for its peers ended. */
  z.object({ type: z.literal('meeting'), agent: z.string(), participantId: z.string() }),
  /** Something to say to an agent about a terminal: to open or to close it. */
  z.object({ type: z.literal('terminal-work'), agent: z.string(), terminalId: z.string() }),
  /** A terminal printed something, or was closed. */
  z.object({ type: z.literal('terminal-output'), terminalId: z.string() }),
  /** What a person did at a terminal, for its agent. */
  z.object({
    type: z.literal('terminal-input'),
    agent: z.string(),
    terminalId: z.string(),
    number: z.number(),
    data: z.string(),
  }),
  z.object({ type: z.literal('terminal-ack'), agent: z.string(), terminalId: z.string(), next: z.number() }),
  z.object({
    type: z.literal('terminal-resize'),
    agent: z.string(),
    terminalId: z.string(),
    columns: z.number(),
    rows: z.number(),
  }),
  z.object({ type: z.literal('agent-connected'), agent: z.string(), connection: z.string() }),
]);
export type BusMessage = z.infer<typeof BusMessage>;

/**
 * Sends hints in one statement when the surrounding transaction commits (at once outside of one). Changed
 * topics are noted too, so that a browser that was away can be told of them.
 */
export async function announce(queries: Queries, ...messages: BusMessage[]): Promise<void> {
  const payloads = messages.map((message) =>
    JSON.stringify(message.type === 'changed' ? { ...message, noted: true } : message),
  );
  for (const { length } of payloads) if (length > PAYLOAD_MAX) throw new Error(`bus message of ${length} bytes`);
  const topics = messages.flatMap((message) => (message.type === 'changed' ? message.topics : []));
  if (topics.length === 0) await queries.run(NOTIFY, [CHANNEL, payloads]);
  else await queries.run(NOTE_AND_NOTIFY, [CHANNEL, payloads, topics]);
}

/** Notes changes that were announced only. */
export async function noteChanges(queries: Queries, topics: readonly string[]): Promise<void> {
  await queries.run(noteSql('$1'), [topics]);
}

/**
 * Forgets changes that are older than `keptSeconds`, except the newest of them, which says how far back the rest
 * goes. That one is of a transaction that began before all that run now, in any database of the cluster: every later
 * snapshot is then known to include what was forgotten. Changes of future transactions were brought by a copy of
 * another cluster.
 */
export async function forgetChanges(queries: Queries, keptSeconds: number): Promise<void> {
  await queries.run(
    `delete from change where xact >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint
       or xact < (select max(xact) from change where at < clock_timestamp() - make_interval(secs => $1)
         and xact < pg_snapshot_xmin(pg_current_snapshot())::text::bigint)`,
    [keptSeconds],
  );
}

/** A row for each transaction and topic: transactions would wait for each other on a counter. */
const noteSql = (topics: string): string => `
  insert into change (xact, topic)
  select distinct pg_current_xact_id()::text::bigint, topic from unnest(${topics}::text[]) as topic
  on conflict do nothing`;

const NOTIFY_SQL = 'select pg_notify($1, payload) from unnest($2::text[]) as payload';
const NOTIFY = prepared(NOTIFY_SQL);
const NOTE_AND_NOTIFY = prepared(`with noted as (${noteSql('$3')}) ${NOTIFY_SQL}`);

/** One LISTEN connection, kept up; `resync` after every (re)connect, since hints may have been missed. */
export class Bus {
  readonly #events = new EventEmitter().setMaxListeners(0);
  readonly #address: DatabaseAddress;
  #client: Client | null = null;
  #retry: NodeJS.Timeout | null = null;
  #closed = false;
  #connected = false;
  #revive: () => Promise<void> = () => Promise.resolve();

  constructor(address: DatabaseAddress) {
    this.#address = address;
  }

  /** Whether notifications arrive now. */
  get isConnected(): boolean {
    return this.#connected;
  }

  onMessage(handler: (message: BusMessage) => void): void {
    this.#events.on('message', handler);
  }

  onResync(handler: () => void): void {
    this.#events.on('resync', handler);
  }

  /** Sets what is done before each further try while the database does not answer, such as starting it. */
  onUnreachable(revive: () => Promise<void>): void {
    this.#revive = revive;
  }

  /** Connects; throws when the first connection fails. */
  async start(): Promise<void> {
    const client = new Client({ ...pgOptions(this.#address), application_name: 'peerlab-bus', keepAlive: true });
    client.on('notification', ({ payload }) => this.#receive(payload ?? ''));
    client.on('error', (err) => log.warn({ err }, 'bus-connection-failed'));
    client.on('end', () => this.#reconnectLater(client));
    this.#client = client;
    await client.connect();
    await client.query(`listen ${CHANNEL}`);
    this.#connected = true;
    this.#events.emit('resync');
  }

  async stop(): Promise<void> {
    this.#closed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    await this.#client?.end();
  }

  #receive(payload: string): void {
    let value: unknown;
    try {
      value = JSON.parse(payload);
    } catch {
      return;
    }
    const parsed = BusMessage.safeParse(value);
    // A newer replica may send messages that this one does not know.
    if (parsed.success) this.#events.emit('message', parsed.data);
  }

  #reconnectLater(client: Client): void {
    if (this.#client !== client) return;
    this.#connected = false;
    if (this.#closed || this.#retry !== null) return;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.start().catch(async (err: unknown) => {
        log.warn({ err }, 'bus-reconnect-failed');
        await this.#revive().catch((problem: unknown) => log.error({ err: problem }, 'database-not-restarted'));
        if (this.#client !== null) this.#reconnectLater(this.#client);
      });
    }, RECONNECT_MS);
  }
}
