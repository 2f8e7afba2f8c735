import { Controller } from '@nestjs/common';
import type { AnswerOf } from '@peerlab/contracts';
import { Caller } from './auth/auth.guard.js';
import type { Identity } from './auth/token.service.js';
import { Sql } from './database/sql.js';
import { Serve } from './http/serve.js';
import { VERSION } from './version.js';

@Controller()
export class SessionController {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Answers only when the database does. */
  @Serve('health')
  async health(): Promise<AnswerOf<'health'>> {
    await this.#sql.one('select 1');
    return { status: 'ok', database: 'ok', version: VERSION };
  }

  @Serve('session')
  session(@Caller() { name }: Identity): AnswerOf<'session'> {
    return { user: name };
  }
}
