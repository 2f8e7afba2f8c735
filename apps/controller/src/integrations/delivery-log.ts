import { Injectable } from '@nestjs/common';
import type { DeliveryKey, DeliveryOutcome, DeliveryPage, DeliveryView } from '@peerlab/contracts';
import { lockForTransaction } from '../platform/database/locks.js';
import { bool, columnsOf, json, nullable, pick, text, type RowOf } from '../platform/database/row-shape.js';
import { jsonb } from '../platform/database/storable.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { timeCursorSql } from '../platform/database/time-cursor.js';
import type { InputOf } from '../platform/http/serve.js';
import { notFound } from '../platform/http/problem.js';
import { WebhookDelivery, type StoredOrder } from '../schema/integrations.js';

const DELIVERY = columnsOf(WebhookDelivery);

/** How long deliveries that started no run are kept. The others stay: a replay is recognized by them. */
const IDLE_DAYS = 90;
/** Longest reason that is kept, in characters. */
const DETAIL_MAX = 500;

/** An authentic delivery. A delivery with the same id, or with the same signed bytes under another id, is the same one. */
export interface Delivery {
  /** Name of the hook. */
  source: string;
  id: string;
  digest: string;
}

/** What a delivery is about, as it is kept with it. */
export interface About {
  detail: string;
  /** The fork that its commit is of. */
  fork: string | null;
  asked: StoredOrder | null;
}

const STORED = pick(DELIVERY, 'source', 'delivery_id', 'outcome', 'digest', 'detail', 'fork', 'asked', 'run_id');
const ASKED = {
  delivery_id: DELIVERY.delivery_id,
  outcome: DELIVERY.outcome,
  fork: DELIVERY.fork,
  asked: DELIVERY.asked,
};
export type StoredDelivery = RowOf<typeof STORED>;
export type AskedDelivery = RowOf<typeof ASKED>;

/** Stores authentic deliveries with their outcome. */
@Injectable()
export class DeliveryLog {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Records, in the caller's transaction, a delivery that started nothing; one that did start a run stays as it is. */
  async note(
    tx: Queries,
    delivery: Delivery,
    outcome: Exclude<DeliveryOutcome, 'started'>,
    about: About,
  ): Promise<void> {
    await this.lock(tx, delivery);
    if ((await this.started(tx, delivery)) === null) await this.#put(tx, delivery, outcome, about, null);
  }

  /** Removes those that started nothing a long time ago. */
  async forgetOld(): Promise<void> {
    await this.#sql.run(
      `delete from webhook_delivery
       where outcome <> 'started' and received_at < clock_timestamp() - make_interval(days => $1)`,
      [IDLE_DAYS],
    );
  }

  /** Serializes the deliveries of a hook while they check whether they were seen before. */
  async lock(tx: Queries, { source }: Pick<Delivery, 'source'>): Promise<void> {
    await lockForTransaction(tx, 'delivery', source);
  }

  /** The run that this delivery has started; null when it has not started one. */
  async started(queries: Queries, { source, id, digest }: Delivery): Promise<{ runId: string | null } | null> {
    return queries.one(
      { runId: DELIVERY.run_id },
      `select run_id as "runId" from webhook_delivery
       where source = $1 and (delivery_id = $2 or digest = $3) and outcome = 'started' limit 1`,
      [source, id, digest],
    );
  }

  /** Records the run of a delivery, in the transaction that stores the run. */
  async recordStarted(tx: Queries, delivery: Delivery, about: About, runId: string): Promise<void> {
    await this.#put(tx, delivery, 'started', about, runId);
  }

  /** Gives a stored delivery a run: one that was held, or that is acted upon again. */
  async setRun(tx: Queries, { source, deliveryId }: DeliveryKey, detail: string, runId: string): Promise<void> {
    await tx.run(
      `update webhook_delivery set outcome = 'started', run_id = $3, detail = $4 where source = $1 and delivery_id = $2`,
      [source, deliveryId, runId, shown(detail)],
    );
  }

  /** Throws ProblemError 404. */
  async get(queries: Queries, { source, deliveryId }: DeliveryKey): Promise<StoredDelivery> {
    const row = await queries.one(
      STORED,
      `select source, delivery_id, outcome, digest, detail, fork, asked, run_id from webhook_delivery
       where source = $1 and delivery_id = $2`,
      [source, deliveryId],
    );
    if (row === null) throw notFound('delivery', `${deliveryId.slice(0, 100)} of ${source}`);
    return row;
  }

  /** The newest delivery of a pull or merge request that brought a commit, or brought that commit; null when none did. */
  async newestOfRequest(
    queries: Queries,
    {
      source,
      repository,
      number,
      commit,
    }: { source: string; repository: string; number: number; commit: string | null },
  ): Promise<AskedDelivery | null> {
    return queries.one(
      ASKED,
      `select delivery_id, outcome, fork, asked from webhook_delivery
       where source = $1 and repository = $2 and number = $3 and asked is not null and ($4::text is null or commit = $4)
       order by received_at desc, delivery_id limit 1`,
      [source, repository, number, commit],
    );
  }

  /** The newest delivery that started a run of this commit from this template; null when none did. */
  async newestOfCommit(
    queries: Queries,
    { source, repository, commit, template }: { source: string; repository: string; commit: string; template: string },
  ): Promise<AskedDelivery | null> {
    return queries.one(
      ASKED,
      `select delivery_id, outcome, fork, asked from webhook_delivery
       where source = $1 and repository = $2 and commit = $3 and outcome = 'started' and asked ->> 'template' = $4
       order by received_at desc, delivery_id limit 1`,
      [source, repository, commit, template],
    );
  }

  /** Replaces the rows of a delivery by one row, under the id that it arrived with last. */
  async #put(
    tx: Queries,
    { source, id, digest }: Delivery,
    outcome: DeliveryOutcome,
    { detail, fork, asked }: About,
    runId: string | null,
  ): Promise<void> {
    await tx.run('delete from webhook_delivery where source = $1 and (delivery_id = $2 or digest = $3)', [
      source,
      id,
      digest,
    ]);
    await tx.run(
      `insert into webhook_delivery
         (source, delivery_id, digest, outcome, detail, run_id, repository, number, commit, fork, asked)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
      [
        source,
        id,
        digest,
        outcome,
        shown(detail),
        runId,
        asked?.repository ?? null,
        asked?.number ?? null,
        asked?.commit ?? null,
        fork,
        asked === null ? null : jsonb(asked),
      ],
    );
  }

  /** Clears the run of a delivery before the run is removed; the outcome `started` stays. */
  async forgetRun(tx: Queries, runId: string): Promise<void> {
    await tx.run('update webhook_delivery set run_id = null where run_id = $1', [runId]);
  }

  /** The newest first; with `before` those after that place in the list. One row more than the limit shows that there is a next page. */
  async list({ before, limit }: InputOf<'listDeliveries'>['query']): Promise<DeliveryPage> {
    const [source, ...rest] = before?.id.split('~') ?? [];
    const rows = await this.#sql.rows(
      {
        cursor: text,
        ...pick(DELIVERY, 'source', 'delivery_id', 'received_at', 'outcome', 'detail', 'commit', 'fork'),
        repeatable: bool,
        run: nullable(json<NonNullable<DeliveryView['run']>>()),
      },
      `select ${timeCursorSql('d.received_at', "d.source || '~' || d.delivery_id")} as cursor, d.source, d.delivery_id, d.received_at, d.outcome, d.detail,
         d.commit, d.fork, d.asked is not null as repeatable,
         case when r.id is not null then jsonb_build_object('id', r.id, 'name', r.name) end as run
       from webhook_delivery d left join run r on r.id = d.run_id
       where $1::timestamptz is null or (d.received_at, d.source, d.delivery_id) < ($1, $2::text, $3::text)
       order by d.received_at desc, d.source desc, d.delivery_id desc limit $4`,
      [before?.at ?? null, source ?? null, rest.join('~'), limit + 1],
    );
    const shown = rows.slice(0, limit);
    const last = shown.at(-1);
    return {
      deliveries: shown.map((row) => ({
        source: row.source,
        deliveryId: row.delivery_id,
        receivedAt: row.received_at.toISOString(),
        outcome: row.outcome,
        detail: row.detail,
        run: row.run,
        commit: row.commit,
        fork: row.fork,
        isRepeatable: row.repeatable,
      })),
      next: last === undefined || rows.length <= limit ? null : last.cursor,
    };
  }
}

const shown = (detail: string): string => detail.slice(0, DETAIL_MAX).replaceAll('\u0000', '');
