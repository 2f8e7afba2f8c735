import { Module } from '@nestjs/common';
import { FleetModule } from '../fleet/fleet.module.js';
import { RunsModule } from '../runs/runs.module.js';
import { CheckStore } from './check-store.js';
import { MachineHealthController } from './health.controller.js';
import { HealthMetrics } from './health-metrics.js';
import { HealthScheduler } from './health.scheduler.js';
import { HealthService } from './health.service.js';
import { HealthView } from './health.view.js';
import { SuspectStore } from './suspect-store.js';

/** Owns health_check, suspect_attempt. */
@Module({
  imports: [FleetModule, RunsModule],
  controllers: [MachineHealthController],
  providers: [CheckStore, SuspectStore, HealthService, HealthView, HealthScheduler, HealthMetrics],
  exports: [CheckStore, SuspectStore],
})
export class MachineHealthModule {}
