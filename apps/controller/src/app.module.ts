import { join } from 'node:path';
import { Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core';
import { ScheduleModule } from '@nestjs/schedule';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ArtifactAccess } from './builds/artifact-access.js';
import { ArtifactStore } from './builds/artifact-store.js';
import { BuildDetailView } from './builds/build-detail.js';
import { BuildController } from './builds/build.controller.js';
import { BuildService } from './builds/build.service.js';
import { Artifact, Bundle } from './schema/builds.js';
import { PatchShelf } from './builds/patch-shelf.js';
import { AgentGateway } from './channels/agent.gateway.js';
import { ChangeFeed } from './channels/change-feed.js';
import { Housekeeping } from './channels/housekeeping.js';
import { LiveGateway } from './channels/live.gateway.js';
import { dataSourceOptions } from './data-source.js';
import { AttemptService } from './dispatch/attempt.service.js';
import { AttemptView } from './attempts/attempt.view.js';
import { DispatchService } from './dispatch/dispatch.service.js';
import { ControllerPresence } from './dispatch/presence.js';
import { ReconcileService } from './dispatch/reconcile.service.js';
import { DispatchTicker } from './dispatch/ticker.js';
import { FleetController } from './fleet/fleet.controller.js';
import { FleetService } from './fleet/fleet.service.js';
import { SiteService } from './fleet/site.service.js';
import { FleetView } from './fleet/fleet.view.js';
import { MachineStory } from './fleet/machine-story.js';
import { DeliveryLog } from './integrations/delivery-log.js';
import { HookController } from './integrations/hook.controller.js';
import { HookService } from './integrations/hook.service.js';
import { TemplateRuns } from './integrations/template-runs.js';
import { LogController } from './logs/log.controller.js';
import { LogService } from './logs/log.service.js';
import { AuthGuard } from './platform/auth/auth.guard.js';
import { TokenController } from './platform/auth/token.controller.js';
import { Token } from './schema/tokens.js';
import { TokenService } from './platform/auth/token.service.js';
import { SETTINGS_TOKEN, type Settings } from './platform/config.js';
import { Bus } from './platform/database/bus.js';
import type { DatabaseAddress } from './platform/database/connection.js';
import { Sql } from './platform/database/sql.js';
import { CallerLimit } from './platform/http/caller-limit.js';
import { AnswerInterceptor } from './platform/http/answer.interceptor.js';
import { ProblemFilter } from './platform/http/problem.filter.js';
import { SessionController } from './platform/session.controller.js';
import { Remover } from './retention/remover.js';
import { RetentionController } from './retention/retention.controller.js';
import { RetentionService } from './retention/retention.service.js';
import { StorageMeter } from './storage/storage.js';
import { RetentionTicker } from './retention/ticker.js';
import { AttemptDetailView } from './verdicts/attempt-detail.js';
import { BuildGridController } from './grid/build-grid.controller.js';
import { BuildGridView } from './grid/build-grid.js';
import { CompareView } from './compare/compare.js';
import { EventIntake } from './dispatch/event-intake.js';
import { FlakinessView } from './trends/flakiness.js';
import { KernelMetricsView } from './compare/kernel-metrics.js';
import { GridView } from './grid/grid.js';
import { VerdictRows } from './verdicts/verdict-rows.js';
import { HistoryView } from './trends/history.js';
import { ResultController } from './grid/grid.controller.js';
import { ResultStore } from './verdicts/result-store.js';
import { TrendView } from './trends/trend.js';
import { JobService } from './runs/job.service.js';
import { QueueView } from './runs/queue.view.js';
import { RunController } from './runs/run.controller.js';
import { RunService } from './runs/run.service.js';
import { RunView } from './runs/run.view.js';
import { TemplateFolder } from './runs/templates.js';

/** Holds everything together and lets go of the database last. */
@Module({})
export class AppModule implements OnApplicationShutdown {
  readonly #sql: Sql;
  readonly #bus: Bus;

  constructor(sql: Sql, bus: Bus) {
    this.#sql = sql;
    this.#bus = bus;
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#bus.stop();
    await this.#sql.close();
  }
}

/** The whole controller over one database. */
export function appModule(settings: Settings, address: DatabaseAddress): DynamicModule {
  return {
    module: AppModule,
    imports: [
      ScheduleModule.forRoot(),
      TypeOrmModule.forRoot(dataSourceOptions(address)),
      TypeOrmModule.forFeature([Token, Artifact, Bundle]),
    ],
    controllers: [
      SessionController,
      TokenController,
      FleetController,
      BuildController,
      RunController,
      ResultController,
      BuildGridController,
      LogController,
      HookController,
      RetentionController,
    ],
    providers: [
      { provide: SETTINGS_TOKEN, useValue: settings },
      { provide: Sql, useFactory: () => new Sql(address) },
      { provide: Bus, useFactory: () => new Bus(address) },
      {
        provide: ArtifactStore,
        useFactory: () => openStore(settings),
      },
      { provide: TemplateFolder, useFactory: () => new TemplateFolder(settings.templatesDir) },
      { provide: APP_FILTER, useClass: ProblemFilter },
      { provide: APP_GUARD, useClass: AuthGuard },
      { provide: APP_INTERCEPTOR, useClass: AnswerInterceptor },
      TokenService,
      { provide: CallerLimit, useFactory: () => new CallerLimit() },
      FleetService,
      SiteService,
      FleetView,
      MachineStory,
      BuildService,
      ArtifactAccess,
      BuildDetailView,
      PatchShelf,
      JobService,
      RunService,
      RunView,
      QueueView,
      AttemptService,
      AttemptView,
      DispatchService,
      ReconcileService,
      ControllerPresence,
      DispatchTicker,
      ResultStore,
      EventIntake,
      GridView,
      BuildGridView,
      KernelMetricsView,
      FlakinessView,
      VerdictRows,
      HistoryView,
      CompareView,
      TrendView,
      AttemptDetailView,
      LogService,
      HookService,
      TemplateRuns,
      DeliveryLog,
      AgentGateway,
      ChangeFeed,
      LiveGateway,
      Housekeeping,
      StorageMeter,
      Remover,
      RetentionService,
      RetentionTicker,
    ],
  };
}

async function openStore({ stateDir, artifactMaxBytes }: Settings): Promise<ArtifactStore> {
  const store = new ArtifactStore(join(stateDir, 'artifacts'), artifactMaxBytes);
  await store.prepare();
  return store;
}
