import { Module, type DynamicModule } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AttemptsModule } from './attempts/attempts.module.js';
import { BuildsModule } from './builds/builds.module.js';
import { ChannelsModule } from './channels/channels.module.js';
import { CompareModule } from './compare/compare.module.js';
import { CoverageModule } from './coverage/coverage.module.js';
import { CrashesModule } from './crashes/crashes.module.js';
import { DispatchModule } from './dispatch/dispatch.module.js';
import { FailuresModule } from './failures/failures.module.js';
import { FleetModule } from './fleet/fleet.module.js';
import { GridModule } from './grid/grid.module.js';
import { IntegrationsModule } from './integrations/integrations.module.js';
import { LogsModule } from './logs/logs.module.js';
import { RetentionModule } from './retention/retention.module.js';
import { MachineHealthModule } from './machine-health/machine-health.module.js';
import { ReservationsModule } from './reservations/reservations.module.js';
import { RunsModule } from './runs/runs.module.js';
import { StorageModule } from './storage/storage.module.js';
import { TrendsModule } from './trends/trends.module.js';
import { VerdictsModule } from './verdicts/verdicts.module.js';
import { dataSourceOptions } from './data-source.js';
import type { Settings } from './platform/config.js';
import type { DatabaseAddress } from './platform/database/connection.js';
import { MeetingsModule } from './meetings/meetings.module.js';
import { PlatformModule } from './platform/platform.module.js';

@Module({})
export class AppModule {
  /** The whole controller over one database. */
  static forRoot(settings: Settings, address: DatabaseAddress): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ScheduleModule.forRoot(),
        TypeOrmModule.forRoot(dataSourceOptions(address)),
        PlatformModule.forRoot(settings, address),
        FleetModule,
        BuildsModule,
        AttemptsModule,
        MeetingsModule,
        LogsModule,
        CrashesModule,
        CoverageModule,
        VerdictsModule,
        StorageModule,
        RunsModule,
        DispatchModule,
        MachineHealthModule,
        ReservationsModule,
        GridModule,
        TrendsModule,
        CompareModule,
        FailuresModule,
        IntegrationsModule,
        RetentionModule,
        ChannelsModule,
      ],
    };
  }
}
