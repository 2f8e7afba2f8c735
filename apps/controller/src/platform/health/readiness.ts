import { Injectable } from '@nestjs/common';
import type { ProblemItem } from '@peerlab/contracts';
import { endsWithin } from '../deadline.js';
import { Bus } from '../database/bus.js';
import { Sql } from '../database/sql.js';
import { PeriodicJob, type PeriodicJobOptions } from './periodic-job.js';

/** How long Postgres may take for an empty statement, in milliseconds. */
const POSTGRES_MS = 2000;

/**
 * Whether this controller can do its work: Postgres answers, the bus is connected, and the periodic jobs run. Rooms
 * register their jobs; what does not work is named. Readiness says where to send requests and whom to call. It is no
 * reason to restart a controller, since a restart brings no Postgres back: that is what liveness is for.
 */
@Injectable()
export class Readiness {
  readonly #sql: Sql;
  readonly #bus: Bus;
  readonly #jobs = new Map<string, PeriodicJob>();

  constructor(sql: Sql, bus: Bus) {
    this.#sql = sql;
    this.#bus = bus;
  }

  /** Adds a job to what has to work. @param name shown to people, such as `dispatch` */
  periodicJob(name: string, options: PeriodicJobOptions): PeriodicJob {
    const job = new PeriodicJob(options);
    this.#jobs.set(name, job);
    return job;
  }

  /** What does not work: the part's name as path, and the reason. Empty = ready. */
  async problems(): Promise<ProblemItem[]> {
    const parts: [string, string | null][] = [
      ['postgres', await this.#postgresProblem()],
      ['bus', this.#bus.isConnected ? null : 'is not connected to Postgres'],
      ...[...this.#jobs].map(([name, job]): [string, string | null] => [name, job.problem()]),
    ];
    return parts.flatMap(([path, message]) => (message === null ? [] : [{ path, message }]));
  }

  async #postgresProblem(): Promise<string | null> {
    try {
      if (await endsWithin(POSTGRES_MS, this.#sql.exists('select 1'))) return null;
      return `did not answer within ${POSTGRES_MS / 1000} s`;
    } catch {
      return 'does not answer';
    }
  }
}
