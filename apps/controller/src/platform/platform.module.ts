import { Global, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { Token } from '../schema/tokens.js';
import { AuthGuard } from './auth/auth.guard.js';
import { TokenController } from './auth/token.controller.js';
import { TokenService } from './auth/token.service.js';
import { SETTINGS_TOKEN, type Settings } from './config.js';
import { Bus } from './database/bus.js';
import type { DatabaseAddress } from './database/connection.js';
import { Sql } from './database/sql.js';
import { AnswerInterceptor } from './http/answer.interceptor.js';
import { CallerLimit } from './http/caller-limit.js';
import { ProblemFilter } from './http/problem.filter.js';
import { SessionController } from './session.controller.js';

/** Owns token and change; gives every room settings, database, bus and access control. Stops listening to the database last. */
@Global()
@Module({})
export class PlatformModule implements OnApplicationShutdown {
  readonly #bus: Bus;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  static forRoot(settings: Settings, address: DatabaseAddress): DynamicModule {
    return {
      module: PlatformModule,
      imports: [TypeOrmModule.forFeature([Token])],
      controllers: [SessionController, TokenController],
      providers: [
        { provide: SETTINGS_TOKEN, useValue: settings },
        { provide: Sql, inject: [DataSource], useFactory: sqlOf },
        { provide: Bus, useFactory: () => new Bus(address) },
        { provide: CallerLimit, useFactory: () => new CallerLimit() },
        { provide: APP_FILTER, useClass: ProblemFilter },
        { provide: APP_GUARD, useClass: AuthGuard },
        { provide: APP_INTERCEPTOR, useClass: AnswerInterceptor },
        TokenService,
      ],
      exports: [SETTINGS_TOKEN, Sql, Bus, CallerLimit, TokenService],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#bus.stop();
  }
}

/** The pool is TypeORM's, which closes it. */
function sqlOf({ driver }: DataSource): Sql {
  return new Sql((driver as unknown as { master: Pool }).master);
}
