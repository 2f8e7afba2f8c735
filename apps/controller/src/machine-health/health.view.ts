import { Inject, Injectable } from '@nestjs/common';
import { HEALTH_CHECKS_SHOWN, type HealthCheck, type HealthPolicy, type MachineHealth } from '@peerlab/contracts';
import { SETTINGS_TOKEN, type Settings } from '../platform/config.js';
import { columnsOf, integer, nullable, pick, time } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';
import { Machine } from '../schema/fleet.js';
import { HealthCheckRow } from '../schema/health.js';

const CHECK = columnsOf(HealthCheckRow);
const STATE = { unproven: columnsOf(Machine).unproven, good_at: nullable(time), suspects: integer };

const HOUR_MS = 3_600_000;

/** Reads the health of machines. */
@Injectable()
export class HealthView {
  readonly #sql: Sql;
  readonly #policy: HealthPolicy;

  constructor(sql: Sql, @Inject(SETTINGS_TOKEN) settings: Settings) {
    this.#sql = sql;
    this.#policy = settings.health;
  }

  /** Throws a 404 problem. */
  async of(machine: string): Promise<MachineHealth> {
    const [state, rows] = await Promise.all([
      this.#sql.one(
        STATE,
        `select m.unproven,
           (select max(h.ended_at) from health_check h where h.machine = m.name and h.outcome = 'passed') as good_at,
           (select count(*)::int from suspect_attempt s where s.machine = m.name) as suspects
         from machine m where m.name = $1`,
        [machine],
      ),
      this.#sql.rows(
        pick(
          CHECK,
          'number',
          'kind',
          'reason',
          'by',
          'boots',
          'run_id',
          'requested_at',
          'ended_at',
          'outcome',
          'detail',
        ),
        `select number, kind, reason, by, boots, run_id, requested_at, ended_at, outcome, detail from health_check
         where machine = $1 order by number desc limit $2`,
        [machine, HEALTH_CHECKS_SHOWN],
      ),
    ]);
    if (state === null) throw notFound('machine', machine);
    const { enabled, everyHours } = this.#policy;
    const goodAt = state.good_at;
    return {
      enabled,
      unproven: state.unproven,
      goodAt: goodAt?.toISOString() ?? null,
      nextAt:
        !enabled || everyHours === 0 || goodAt === null
          ? null
          : new Date(goodAt.getTime() + everyHours * HOUR_MS).toISOString(),
      checks: rows.map(
        ({ run_id: runId, requested_at: at, ended_at: endedAt, ...check }): HealthCheck => ({
          ...check,
          runId,
          at: at.toISOString(),
          endedAt: endedAt?.toISOString() ?? null,
        }),
      ),
      suspects: state.suspects,
    };
  }
}
