import { Injectable } from '@nestjs/common';
import { Job } from '../schema/runs.js';
import { columnsOf, float, integer, pick } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { Metrics } from '../platform/metrics/metrics.js';

const QUEUE = { ...pick(columnsOf(Job), 'kind'), jobs: integer, oldest_seconds: float };
const LEASES = { active: integer, expired: integer, oldest_seconds: float };

/** Queue and leases of the whole farm: every controller on one database gives the same numbers. */
@Injectable()
export class FarmMetrics {
  readonly #sql: Sql;

  constructor(sql: Sql, metrics: Metrics) {
    this.#sql = sql;
    metrics.gauge('queue_jobs', 'Jobs that wait for a machine or a build slot.', ['kind'], async () =>
      (await this.#queue()).map(({ kind, jobs }) => ({ labels: { kind }, value: jobs })),
    );
    metrics.gauge('queue_oldest_seconds', 'How long ago the oldest queued job was submitted.', ['kind'], async () =>
      (await this.#queue()).map(({ kind, oldest_seconds }) => ({ labels: { kind }, value: oldest_seconds })),
    );
    metrics.gauge('leases', 'Leases that are not released.', ['state'], async () => {
      const { active, expired } = await this.#leases();
      return [
        { labels: { state: 'active' }, value: active },
        { labels: { state: 'expired' }, value: expired },
      ];
    });
    metrics.gauge('lease_oldest_seconds', 'Age of the oldest lease that is not released; 0 = none.', [], async () => [
      { labels: {}, value: (await this.#leases()).oldest_seconds },
    ]);
  }

  #queue() {
    return this.#sql.rows(
      QUEUE,
      `select kind, count(*) as jobs,
         extract(epoch from clock_timestamp() - min(queued_at))::float8 as oldest_seconds
       from job where state = 'queued' group by kind`,
    );
  }

  async #leases() {
    const row = await this.#sql.one(
      LEASES,
      `select count(*) filter (where expires_at >= clock_timestamp()) as active,
         count(*) filter (where expires_at < clock_timestamp()) as expired,
         coalesce(extract(epoch from clock_timestamp() - min(acquired_at)), 0)::float8 as oldest_seconds
       from lease where released_at is null`,
    );
    return row ?? { active: 0, expired: 0, oldest_seconds: 0 };
  }
}
