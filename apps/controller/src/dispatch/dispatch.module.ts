import { Module } from '@nestjs/common';
import { FleetModule } from '../fleet/fleet.module.js';
import { BuildsModule } from '../builds/builds.module.js';
import { AttemptsModule } from '../attempts/attempts.module.js';
import { LogsModule } from '../logs/logs.module.js';
import { CrashesModule } from '../crashes/crashes.module.js';
import { VerdictsModule } from '../verdicts/verdicts.module.js';
import { RunsModule } from '../runs/runs.module.js';
import { StorageModule } from '../storage/storage.module.js';
import { AttemptService } from './attempt.service.js';
import { DispatchService } from './dispatch.service.js';
import { ReconcileService } from './reconcile.service.js';
import { ControllerPresence } from './presence.js';
import { FarmMetrics } from './farm-metrics.js';
import { DispatchScheduler } from './scheduler.js';
import { EventIntake } from './event-intake.js';

/** Owns controller. */
@Module({
  imports: [
    FleetModule,
    BuildsModule,
    AttemptsModule,
    LogsModule,
    CrashesModule,
    VerdictsModule,
    RunsModule,
    StorageModule,
  ],
  providers: [
    AttemptService,
    DispatchService,
    ReconcileService,
    ControllerPresence,
    DispatchScheduler,
    EventIntake,
    FarmMetrics,
  ],
  exports: [AttemptService, ReconcileService, EventIntake, DispatchService],
})
export class DispatchModule {}
