import { Module } from '@nestjs/common';
import { BuildsModule } from '../builds/builds.module.js';
import { AttemptsModule } from '../attempts/attempts.module.js';
import { CrashesModule } from '../crashes/crashes.module.js';
import { LogsModule } from '../logs/logs.module.js';
import { VerdictsModule } from '../verdicts/verdicts.module.js';
import { StorageModule } from '../storage/storage.module.js';
import { RunsModule } from '../runs/runs.module.js';
import { MachineHealthModule } from '../machine-health/machine-health.module.js';
import { IntegrationsModule } from '../integrations/integrations.module.js';
import { RetentionController } from './retention.controller.js';
import { RetentionExecutor } from './retention-executor.js';
import { RetentionService } from './retention.service.js';
import { RetentionScheduler } from './retention-scheduler.js';

/** Owns run_pin, retention_deletion. */
@Module({
  imports: [
    BuildsModule,
    AttemptsModule,
    LogsModule,
    CrashesModule,
    VerdictsModule,
    StorageModule,
    RunsModule,
    MachineHealthModule,
    IntegrationsModule,
  ],
  controllers: [RetentionController],
  providers: [RetentionExecutor, RetentionService, RetentionScheduler],
  exports: [RetentionService],
})
export class RetentionModule {}
