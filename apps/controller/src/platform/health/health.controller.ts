import { Controller } from '@nestjs/common';
import type { AnswerOf } from '@peerlab/contracts';
import { Sql } from '../database/sql.js';
import { ProblemError } from '../http/problem.js';
import { Serve } from '../http/serve.js';
import { VERSION } from '../version.js';
import { Readiness } from './readiness.js';

@Controller()
export class HealthController {
  readonly #sql: Sql;
  readonly #readiness: Readiness;

  constructor(sql: Sql, readiness: Readiness) {
    this.#sql = sql;
    this.#readiness = readiness;
  }

  /** The process answers. Needs no Postgres: while that is away a restart would only lose what is in memory. */
  @Serve('live')
  live(): AnswerOf<'live'> {
    return { status: 'live', version: VERSION };
  }

  /** 503 with the parts that do not work. */
  @Serve('ready')
  async ready(): Promise<AnswerOf<'ready'>> {
    const errors = await this.#readiness.problems();
    if (errors.length === 0) return { status: 'ready', version: VERSION };
    throw new ProblemError(503, 'not-ready', 'the controller is not ready', {
      detail: errors.map(({ path, message }) => `${path} ${message}`).join('; '),
      errors,
    });
  }

  /** What programs asked before liveness and readiness were two routes: answers only when the database does. */
  @Serve('health')
  async health(): Promise<AnswerOf<'health'>> {
    await this.#sql.exists('select 1');
    return { status: 'ok', database: 'ok', version: VERSION };
  }
}
