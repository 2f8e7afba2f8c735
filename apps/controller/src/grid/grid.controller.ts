import { Controller } from '@nestjs/common';
import type { AttemptDetail, Comparison, Grid, MetricView, ResultView, TestHistory, Trend } from '@peerlab/contracts';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { AttemptDetailView } from '../verdicts/attempt-detail.js';
import { CompareView } from '../compare/compare.js';
import { GridView } from './grid.js';
import { HistoryView } from '../trends/history.js';
import { TrendView } from '../trends/trend.js';

@Controller()
export class ResultController {
  readonly #grid: GridView;
  readonly #attempts: AttemptDetailView;
  readonly #history: HistoryView;
  readonly #compare: CompareView;
  readonly #trends: TrendView;

  constructor(
    grid: GridView,
    attempts: AttemptDetailView,
    history: HistoryView,
    compare: CompareView,
    trends: TrendView,
  ) {
    this.#grid = grid;
    this.#attempts = attempts;
    this.#history = history;
    this.#compare = compare;
    this.#trends = trends;
  }

  @Serve('getGrid')
  getGrid(@Input() { query }: InputOf<'getGrid'>): Promise<Grid> {
    return this.#grid.read(query.run ?? null, query.cells === 'all');
  }

  @Serve('getAttempt')
  getAttempt(@Input() { params }: InputOf<'getAttempt'>): Promise<AttemptDetail> {
    return this.#attempts.read(params.attempt);
  }

  @Serve('getResult')
  getResult(@Input() { params, query }: InputOf<'getResult'>): Promise<ResultView> {
    return this.#attempts.result(params.attempt, query.suite, query.test);
  }

  @Serve('getHistory')
  getHistory(@Input() { query }: InputOf<'getHistory'>): Promise<TestHistory> {
    return this.#history.read(query);
  }

  @Serve('getCompare')
  getCompare(@Input() { query }: InputOf<'getCompare'>): Promise<Comparison> {
    return this.#compare.read(query);
  }

  @Serve('listMetrics')
  listMetrics(): Promise<MetricView[]> {
    return this.#trends.metrics();
  }

  @Serve('getTrend')
  getTrend(@Input() { query }: InputOf<'getTrend'>): Promise<Trend> {
    return this.#trends.read(query);
  }
}
