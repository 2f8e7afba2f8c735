import { Injectable } from '@nestjs/common';
import type { DeliveryOutcome, DeliveryPage, DeliveryView } from '@peerlab/contracts';
import { lockForTransaction } from '../platform/database/locks.js';
import { columnsOf, json, nullable, pick, text } from '../platform/database/row-shape.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { timeCursorSql } from '../platform/database/time-cursor.js';
import type { InputOf } from '../platform/http/serve.js';
import { WebhookDelivery } from '../schema/integrations.js';

const DELIVERY = columnsOf(WebhookDelivery);

/** How long deliveries that started no run are kept. The others stay: a replay is recognized by them. */
const IDLE_DAYS = 90;
/** Longest reason that is kept, in characters. */
const DETAIL_MAX = 500;

/** A signed delivery. A delivery with the same id, or with the same signed bytes under another id, is the same one. */
export interface Delivery {
  /** Name of the hook. */
  source: string;
  id: string;
  digest: string;
}

/** Stores signed deliveries with their outcome. */
@Injectable()
export class DeliveryLog {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Records a delivery that started nothing; one that did start a run stays as it is. */
  async note(delivery: Delivery, outcome: Exclude<DeliveryOutcome, 'started'>, detail: string): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      await this.lock(tx, delivery);
      if ((await this.started(tx, delivery)) === null) await this.#put(tx, delivery, outcome, detail, null);
    });
    await this.#sql.run(
      `delete from webhook_delivery
       where outcome <> 'started' and received_at < clock_timestamp() - make_interval(days => $1)`,
      [IDLE_DAYS],
    );
  }

  /** Serializes the deliveries of a hook while they check whether they were seen before. */
  async lock(tx: Queries, { source }: Delivery): Promise<void> {
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
  async recordStarted(tx: Queries, delivery: Delivery, detail: string, runId: string): Promise<void> {
    await this.#put(tx, delivery, 'started', detail, runId);
  }

  /** Replaces the rows of a delivery by one row, under the id that it arrived with last. */
  async #put(
    tx: Queries,
    { source, id, digest }: Delivery,
    outcome: DeliveryOutcome,
    detail: string,
    runId: string | null,
  ): Promise<void> {
    await tx.run('delete from webhook_delivery where source = $1 and (delivery_id = $2 or digest = $3)', [
      source,
      id,
      digest,
    ]);
    await tx.run(
      `insert into webhook_delivery (source, delivery_id, digest, outcome, detail, run_id)
       values ($1, $2, $3, $4, $5, $6)`,
      [source, id, digest, outcome, detail.slice(0, DETAIL_MAX).replaceAll('\u0000', ''), runId],
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
        ...pick(DELIVERY, 'source', 'delivery_id', 'received_at', 'outcome', 'detail'),
        run: nullable(json<NonNullable<DeliveryView['run']>>()),
      },
      `select ${timeCursorSql('d.received_at', "d.source || '~' || d.delivery_id")} as cursor, d.source, d.delivery_id, d.received_at, d.outcome, d.detail,
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
      })),
      next: last === undefined || rows.length <= limit ? null : last.cursor,
    };
  }
}
