import { Injectable } from '@nestjs/common';
import { HealthOutcome } from '@peerlab/contracts';
import { columnsOf, integer } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { Metrics } from '../platform/metrics/metrics.js';
import { HealthCheckRow } from '../schema/health.js';

/** Health of the whole farm: every controller on one database gives the same numbers. */
@Injectable()
export class HealthMetrics {
  constructor(sql: Sql, metrics: Metrics) {
    metrics.gauge('machines_unproven', 'Machines that take nothing but their health check.', [], async () => {
      const row = await sql.one(
        { held: integer },
        'select count(*)::int as held from machine where unproven is not null and configured',
      );
      return [{ labels: {}, value: row?.held ?? 0 }];
    });
    metrics.gauge('health_checks', 'Health checks of machines that ended.', ['outcome'], async () => {
      const rows = await sql.rows(
        { outcome: columnsOf(HealthCheckRow).outcome, count: integer },
        'select outcome, count(*)::int as count from health_check where outcome is not null group by outcome',
      );
      const counts = new Map(rows.map(({ outcome, count }) => [outcome, count]));
      return HealthOutcome.options.map((outcome) => ({ labels: { outcome }, value: counts.get(outcome) ?? 0 }));
    });
  }
}
