import { Module } from '@nestjs/common';
import { RunsModule } from '../runs/runs.module.js';
import { HookController } from './hook.controller.js';
import { HookService } from './hook.service.js';
import { TemplateRuns } from './template-runs.js';
import { DeliveryLog } from './delivery-log.js';

/** Owns webhook_delivery. */
@Module({
  imports: [RunsModule],
  controllers: [HookController],
  providers: [HookService, TemplateRuns, DeliveryLog],
  exports: [DeliveryLog],
})
export class IntegrationsModule {}
