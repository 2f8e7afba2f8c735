import { Controller } from '@nestjs/common';
import type { Flakiness, MetricView, TestHistory, TestList, Trend } from '@peerlab/contracts';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { FlakinessView } from './flakiness.js';
import { HistoryView } from './history.js';
import { TestListView } from './test-list.js';
import { TrendView } from './trend.js';

@Controller()
export class TrendController {
  readonly #history: HistoryView;
  readonly #trends: TrendView;
  readonly #flakiness: FlakinessView;
  readonly #tests: TestListView;

  constructor(history: HistoryView, trends: TrendView, flakiness: FlakinessView, tests: TestListView) {
    this.#history = history;
    this.#trends = trends;
    this.#flakiness = flakiness;
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
