import { Injectable } from '@nestjs/common';
import type { DeliveryOutcome, DeliveryPage, DeliveryView } from '@peerlab/contracts';
import { lockForTransaction } from '../platform/database/locks.js';
import { Sql, type Queries } from '../platform/database/sql.js';

interface Row {
  source: string;
  delivery_id: string;
  received_at: Date;
  outcome: DeliveryOutcome;
  detail: string;
  run: DeliveryView['run'];
}

/** How long deliveries are kept that started nothing; the others are what makes a replay visible. */
const IDLE_DAYS = 90;
/** Longest reason that is kept, in characters. */
const DETAIL_MAX = 500;

/** A signed delivery: the same id, or the same signed bytes under another id, is the same delivery. */
export interface Delivery {
  /** Name of the hook. */
  source: string;
  id: string;
  digest: string;
}

/** What became of signed deliveries. */
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

  /** Lets one delivery of a hook at a time decide whether it was seen before. */
  async lock(tx: Queries, { source }: Delivery): Promise<void> {
    await lockForTransaction(tx, 'delivery', source);
  }

  /** The run that this delivery started already; null when it started none. */
  async started(queries: Queries, { source, id, digest }: Delivery): Promise<{ runId: string | null } | null> {
    return queries.one<{ runId: string | null }>(
      `select run_id as "runId" from webhook_delivery
       where source = $1 and (delivery_id = $2 or digest = $3) and outcome = 'started' limit 1`,
      [source, id, digest],
    );
  }

  /** Records the run of a delivery, in the transaction that stores the run. */
  async recordStarted(tx: Queries, delivery: Delivery, detail: string, runId: string): Promise<void> {
    await this.#put(tx, delivery, 'started', detail, runId);
  }

  /** One row for a delivery, under the id that it came with last. */
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

  /** Forgets which run a delivery started; that it started one stays known. */
  async forgetRun(tx: Queries, runId: string): Promise<void> {
    await tx.run('update webhook_delivery set run_id = null where run_id = $1', [runId]);
  }

  /** The newest first; with `before` (source~id) those that came before that delivery. */
  async list({ before, limit }: { before?: string | undefined; limit: number }): Promise<DeliveryPage> {
    const at = before?.indexOf('~') ?? -1;
    const rows = await this.#sql.rows<Row>(
      `select d.source, d.delivery_id, d.received_at, d.outcome, d.detail,
         case when r.id is not null then jsonb_build_object('id', r.id, 'name', r.name) end as run
       from webhook_delivery d left join run r on r.id = d.run_id
       where $1::text is null or (d.received_at, d.source, d.delivery_id) <
         (select received_at, source, delivery_id from webhook_delivery where source = $1 and delivery_id = $2)
       order by d.received_at desc, d.source desc, d.delivery_id desc limit $3`,
      [before?.slice(0, at) ?? null, before?.slice(at + 1) ?? null, limit],
    );
    const last = rows.at(-1);
    return {
      deliveries: rows.map((row) => ({
        source: row.source,
        deliveryId: row.delivery_id,
        receivedAt: row.received_at.toISOString(),
        outcome: row.outcome,
        detail: row.detail,
        run: row.run,
      })),
      next: last === undefined || rows.length < limit ? null : `${last.source}~${last.delivery_id}`,
    };
  }
}
