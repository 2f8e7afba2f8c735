import {
  Global,
  Module,
  type DynamicModule,
  type BeforeApplicationShutdown,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { Token } from '../schema/tokens.js';
import { AuthGuard } from './auth/auth.guard.js';
import { TicketController } from './auth/ticket.controller.js';
import { TicketService } from './auth/ticket.service.js';
import { TokenController } from './auth/token.controller.js';
import { TokenService } from './auth/token.service.js';
import { SETTINGS_TOKEN, type Settings } from './config.js';
import { Bus } from './database/bus.js';
import type { DatabaseAddress } from './database/connection.js';
import { Sql } from './database/sql.js';
import { AnswerInterceptor } from './http/answer.interceptor.js';
import { HealthController } from './health/health.controller.js';
import { Readiness } from './health/readiness.js';
import { CallerLimit } from './http/caller-limit.js';
import { ProblemFilter } from './http/problem.filter.js';
import { Metrics } from './metrics/metrics.js';
import { MetricsController } from './metrics/metrics.controller.js';
import { SessionController } from './session.controller.js';

/** How long statements may take that still run when all rooms have stopped, in milliseconds. */
const LAST_STATEMENTS_MS = 2000;

/**
 * Owns token, download_ticket and change; gives every room settings, database, bus, access control, readiness and metrics. Nest calls
 * the shutdown hooks of a global module after those of the rooms.
 */
@Global()
@Module({})
export class PlatformModule implements BeforeApplicationShutdown, OnApplicationShutdown {
  readonly #bus: Bus;
  readonly #sql: Sql;

  constructor(bus: Bus, sql: Sql) {
    this.#bus = bus;
    this.#sql = sql;
  }

  static forRoot(settings: Settings, address: DatabaseAddress): DynamicModule {
    return {
      module: PlatformModule,
      imports: [TypeOrmModule.forFeature([Token])],
      controllers: [SessionController, TokenController, TicketController, HealthController, MetricsController],
      providers: [
        { provide: SETTINGS_TOKEN, useValue: settings },
        { provide: Sql, inject: [DataSource], useFactory: sqlOf },
        { provide: Bus, useFactory: () => new Bus(address) },
        { provide: CallerLimit, useFactory: () => new CallerLimit() },
        { provide: APP_FILTER, useClass: ProblemFilter },
        { provide: APP_GUARD, useClass: AuthGuard },
        { provide: APP_INTERCEPTOR, useClass: AnswerInterceptor },
        TokenService,
        TicketService,
        Readiness,
        Metrics,
      ],
      exports: [SETTINGS_TOKEN, Sql, Bus, CallerLimit, TokenService, Readiness, Metrics],
    };
  }

  /** TypeORM closes the pool later, which waits for every connection in use: a statement that hangs would hold it up. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.#sql.endBusy(LAST_STATEMENTS_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#bus.stop();
  }
}

/** The pool is TypeORM's, which closes it. */
function sqlOf({ driver }: DataSource): Sql {
  return new Sql((driver as unknown as { master: Pool }).master);
}
