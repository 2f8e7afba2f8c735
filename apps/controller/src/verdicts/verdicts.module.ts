import { Module } from '@nestjs/common';
import { AttemptsModule } from '../attempts/attempts.module.js';
import { AttemptController } from './attempt.controller.js';
import { ResultStore } from './result-store.js';
import { VerdictRows } from './verdict-rows.js';
import { AttemptDetailView } from './attempt-detail.js';
import { PackingScheduler } from './packing.scheduler.js';

/** Owns result, planned_test, measurement, attempt_file, attempt_verdicts, test_plan, unpacked_attempt. */
@Module({
  imports: [AttemptsModule],
  controllers: [AttemptController],
  providers: [ResultStore, VerdictRows, PackingScheduler, AttemptDetailView],
  exports: [ResultStore, VerdictRows],
})
export class VerdictsModule {}
