import { Injectable } from '@nestjs/common';
import type { DeliveryOutcome, DeliveryPage, DeliveryView } from '@peerlab/contracts';
import { Sql } from '../platform/database/sql.js';

interface Row {
  source: DeliveryView['source'];
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

/** What became of signed deliveries. Those that started a run are recorded with it, in hook.service.ts. */
@Injectable()
export class DeliveryLog {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Records a delivery that started nothing; one that did start a run stays as it is. */
  async note(
    source: DeliveryView['source'],
    deliveryId: string,
    outcome: Exclude<DeliveryOutcome, 'started'>,
    detail: string,
  ): Promise<void> {
    await this.#sql.run(
      `insert into webhook_delivery (source, delivery_id, outcome, detail) values ($1, $2, $3, $4)
       on conflict (source, delivery_id) do update set outcome = excluded.outcome, detail = excluded.detail,
         received_at = excluded.received_at where webhook_delivery.outcome <> 'started'`,
      [source, deliveryId, outcome, detail.slice(0, DETAIL_MAX).replaceAll('\u0000', '')],
    );
    await this.#sql.run(
      `delete from webhook_delivery
       where outcome <> 'started' and received_at < clock_timestamp() - make_interval(days => $1)`,
      [IDLE_DAYS],
    );
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
