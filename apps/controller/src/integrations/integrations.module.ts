import { Module } from '@nestjs/common';
import { FleetModule } from '../fleet/fleet.module.js';
import { GridModule } from '../grid/grid.module.js';
import { RunsModule } from '../runs/runs.module.js';
import { DeliveryLog } from './delivery-log.js';
import { HookAdmin } from './hook-admin.js';
import { HookController } from './hook.controller.js';
import { HookRuns } from './hook-runs.js';
import { HookService } from './hook.service.js';
import { ReportContents } from './reports/report-content.js';
import { ReportOutbox } from './reports/report-outbox.js';
import { ReportScheduler } from './reports/report.scheduler.js';
import { ReportStore } from './reports/report-store.js';
import { TemplateRuns } from './template-runs.js';

/** Owns webhook_delivery, forge_report. */
@Module({
  imports: [FleetModule, GridModule, RunsModule],
  controllers: [HookController],
  providers: [
    DeliveryLog,
    HookAdmin,
    HookRuns,
    HookService,
    ReportContents,
    ReportOutbox,
    ReportScheduler,
    ReportStore,
    TemplateRuns,
  ],
  exports: [DeliveryLog, ReportStore],
})
export class IntegrationsModule {}
