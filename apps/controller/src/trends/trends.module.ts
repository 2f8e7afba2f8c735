import { Module } from '@nestjs/common';
import { VerdictsModule } from '../verdicts/verdicts.module.js';
import { GridModule } from '../grid/grid.module.js';
import { TrendController } from './trend.controller.js';
import { HistoryView } from './history.js';
import { OverviewView } from './overview.js';
import { TestListView } from './test-list.js';
import { TrendView } from './trend.js';
import { FlakinessView } from './flakiness.js';

/** Owns no table: it reads. */
@Module({
  imports: [VerdictsModule, GridModule],
  controllers: [TrendController],
  providers: [HistoryView, TrendView, FlakinessView, OverviewView, TestListView],
})
export class TrendsModule {}
