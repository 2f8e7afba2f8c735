import { Module } from '@nestjs/common';
import { VerdictsModule } from '../verdicts/verdicts.module.js';
import { GridModule } from '../grid/grid.module.js';
import { CompareController } from './compare.controller.js';
import { CompareView } from './compare.js';
import { HardwareView } from './hardware.js';
import { KernelMetricsView } from './kernel-metrics.js';
import { TwinsView } from './twins.js';

/** Owns no table: it reads. */
@Module({
  imports: [VerdictsModule, GridModule],
  controllers: [CompareController],
  providers: [CompareView, HardwareView, KernelMetricsView, TwinsView],
})
export class CompareModule {}
