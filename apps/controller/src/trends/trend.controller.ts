import { Controller } from '@nestjs/common';
import type { Flakiness, MetricView, TestHistory, TestList, Trend, TrendOverview } from '@peerlab/contracts';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { FlakinessView } from './flakiness.js';
import { HistoryView } from './history.js';
import { OverviewView } from './overview.js';
import { TestListView } from './test-list.js';
import { TrendView } from './trend.js';

@Controller()
export class TrendController {
  readonly #history: HistoryView;
  readonly #trends: TrendView;
  readonly #flakiness: FlakinessView;
  readonly #overview: OverviewView;
  readonly #tests: TestListView;

  constructor(
    history: HistoryView,
    trends: TrendView,
    flakiness: FlakinessView,
    overview: OverviewView,
    tests: TestListView,
  ) {
    this.#history = history;
    this.#trends = trends;
    this.#flakiness = flakiness;
    this.#overview = overview;
    this.#tests = tests;
  }

  @Serve('getHistory')
  getHistory(@Input() { query }: InputOf<'getHistory'>): Promise<TestHistory> {
    return this.#history.read(query);
  }

  @Serve('listMetrics')
  listMetrics(): Promise<MetricView[]> {
    return this.#trends.metrics();
  }

  @Serve('getTrendOverview')
  getTrendOverview(): Promise<TrendOverview> {
    return this.#overview.read();
  }

  @Serve('listTests')
  listTests(): Promise<TestList> {
    return this.#tests.read();
  }

  @Serve('getTrend')
  getTrend(@Input() { query }: InputOf<'getTrend'>): Promise<Trend> {
    return this.#trends.read(query);
  }

  @Serve('getFlakiness')
  getFlakiness(@Input() { query }: InputOf<'getFlakiness'>): Promise<Flakiness> {
    return this.#flakiness.read(query.combination ?? null);
  }
}
