import { Module } from '@nestjs/common';
import { FleetModule } from '../fleet/fleet.module.js';
import { BuildsModule } from '../builds/builds.module.js';
import { AttemptsModule } from '../attempts/attempts.module.js';
import { RunController } from './run.controller.js';
import { StorageModule } from '../storage/storage.module.js';
import { IdFinder } from './find-ids.js';
import { BuildQueue } from './build-queue.js';
import { JobService } from './job.service.js';
import { RunService } from './run.service.js';
import { RunView } from './run.view.js';
import { MachineQueue } from './machine-queue.js';
import { TestQueue } from './test-queue.js';
import { QueueView } from './queue.view.js';
import { SETTINGS_TOKEN, type Settings } from '../platform/config.js';
import { TemplateFolder } from './templates.js';

/** Owns run, job, job_role. */
@Module({
  imports: [FleetModule, BuildsModule, AttemptsModule, StorageModule],
  controllers: [RunController],
  providers: [
    IdFinder,
    BuildQueue,
    TestQueue,
    JobService,
    RunService,
    RunView,
    QueueView,
    MachineQueue,
    {
      provide: TemplateFolder,
      inject: [SETTINGS_TOKEN],
      useFactory: (settings: Settings) => new TemplateFolder(settings.templatesDir),
    },
  ],
  exports: [BuildQueue, TestQueue, JobService, RunService, RunView, TemplateFolder],
})
export class RunsModule {}
