import {
  type AttemptEvent,
  cutText,
  type DialectEvent,
  type DialectReader,
  type KtapEvent,
  type KtapNode,
  KtapReader,
  type KtapSummary,
  type Metric,
  parseDiagnostic,
  PLAN_MAX,
  REASON_MAX,
  type ResultStatus,
  SiblingNames,
  TEST_ID_MAX,
  type TestResult,
} from '@peerlab/contracts';
import { KeptOutput } from './kept-output.js';
import { beginTest, remark, remarksOf, type RunningTest } from './running-test.js';
import {
  ANNOUNCEMENTS_PER_SUITE,
  METRICS_PER_ATTEMPT,
  METRICS_PER_SUITE,
  METRICS_PER_TEST,
  Quota,
  SAMPLES_KEPT,
  WARNINGS_PER_TEST,
} from './suite-limits.js';
import { PerftestFigures } from './perftest-figures.js';
import { faultOfSuite, type FlatResult, flatten, WHOLE_SUITE } from './suite-results.js';

interface PendingResult {
  result: TestResult;
  startedAt: number;
  endedAt: number;
}

/** What a result is about: the kernel's warnings and the lines since then. */
interface Window {
  startedAt: number;
  fromSeq: number;
}

interface ProgressSurroundings {
  emit(event: AttemptEvent): void;
  /** Titles of kernel warnings that arrived between two `performance.now()` moments. */
  warningsBetween(from: number, to: number): string[];
  note(text: string): void;
  /** Something for people that belongs into the suite's own output too. */
  say(text: string): void;
}

/** How far the kernel log lags behind the suite's output, in ms; both come over one connection. */
const LOG_LAG_MS = 10;
/** What stands for a test that was announced without a name. */
const UNNAMED = 'unnamed';

/** What is known of a suite over all its invocations: the plan, who ran, who is running. */
export class SuiteProgress {
  readonly #done = new Set<string>();
  readonly #waiting: PendingResult[] = [];
  /** The results of this invocation as a tree, and the tests of its first level that are complete. */
  #reader = this.#newReader();
  readonly #complete: KtapNode[] = [];
  #names = new SiblingNames(TEST_ID_MAX);
  /** Running tests whose "ok" came without a name: a named one after it says the same again. */
  readonly #passedUnnamed = new Set<string>();
  readonly #figures = new PerftestFigures();
  #hasFailed = false;
  #current: RunningTest | null = null;
  #last: string | null = null;
  /** Sequence of the last line. */
  #seq = 0;
  /** Where this invocation began, and where its last result came: a result of a dialect is about what came since. */
  #begun: Window = { startedAt: 0, fromSeq: 0 };
  #since: Window = this.#begun;
  /** Tests of a dialect that have ended, whose results come later: what those are about. */
  readonly #ended = new Map<string, { window: Window; seq: number; at: number }>();
  #metrics = 0;
  #announcements = 0;
  readonly #kept: KeptOutput;

  readonly #suite: string;
  readonly #plan: readonly string[];
  readonly #around: ProgressSurroundings;
  /** Measurements of the whole attempt. */
  readonly #attemptMetrics: Quota;
  /** Reads output that is no KTAP. */
  readonly #dialect: DialectReader | null;

  constructor(
    suite: string,
    plan: readonly string[],
    around: ProgressSurroundings,
    attemptMetrics = new Quota(METRICS_PER_ATTEMPT),
    dialect: DialectReader | null = null,
  ) {
    this.#suite = suite;
    this.#plan = plan;
    this.#around = around;
    this.#kept = new KeptOutput(suite, around);
    this.#attemptMetrics = attemptMetrics;
    this.#dialect = dialect;
  }

  /** The announced test without a result. */
  get running(): Readonly<RunningTest> | null {
    return this.#current;
  }

  /** A file in the suite's folder that has its results; null when its output has them. */
  get resultsFile(): string | null {
    return this.#dialect?.resultsFile ?? null;
  }

  /** The text of that file, before the end of the suite. */
  takeFile(text: string): void {
    this.#dialect?.file?.(text);
  }

  /** Tests that have their result, in the order they got it. */
  finished(): string[] {
    return [...this.#done];
  }

  remaining(): string[] {
    return this.#plan.filter((test) => !this.#done.has(test));
  }

  /**
   * Whom a crash belongs to: the running test, else the next one of the plan, whose announcement
   * may have died with the machine; null when all are through. Only KTAP announces tests.
   */
  suspect(): { test: string; announced: boolean } | null {
    if (this.#current !== null) return { test: this.#current.test, announced: true };
    if (this.#dialect !== null) return { test: WHOLE_SUITE, announced: true };
    const next = this.remaining()[0];
    return next === undefined ? null : { test: next, announced: false };
  }

  /**
   * A new invocation: nothing is running. What the one before has left half done is taken as it is.
   * @param fromSeq number of its first line
   */
  restart(fromSeq = 0, now = performance.now()): void {
    this.endOutput();
    this.#begun = { startedAt: now, fromSeq };
    this.#since = this.#begun;
    this.#seq = fromSeq;
    this.#current = null;
    this.#names = new SiblingNames(TEST_ID_MAX);
  }

  /** The end of an invocation's output. Sub-tests whose test has no result are taken. */
  endOutput(now = performance.now()): KtapSummary {
    const summary = this.#reader.end();
    for (const node of [...this.#complete.splice(0), ...summary.inner]) this.#takeTest(node, now, true);
    this.#reader = this.#newReader();
    return summary;
  }

  /**
   * The end of a suite that ran to its end. One that does not list its tests gets a result of its own when it was
   * killed, gave up, left planned tests out, or ran none.
   */
  endSuite(end: { code: number | null; how: string }): void {
    if (this.#dialect !== null) {
      this.#endDialect(this.#dialect, end);
      return;
    }
    const { running } = this;
    const summary = this.endOutput();
    this.flush(0, Number.POSITIVE_INFINITY);
    if (this.#plan.length > 0 || (running !== null && end.code === null)) return;
    if (summary.status === 'skip' && summary.nodes.length === 0 && this.#done.size === 0) {
      this.conclude(WHOLE_SUITE, 'skip', { reason: 'the plan says that nothing is to run' });
      return;
    }
    const fault = faultOfSuite(summary, end, this.#hasFailed);
    if (fault !== null) this.conclude(WHOLE_SUITE, fault.status, { reason: fault.reason ?? '' });
  }

  #endDialect(dialect: DialectReader, exit: { code: number | null; how: string }): void {
    const { events, whole } = dialect.end(exit);
    for (const event of events) this.#takeDialect(event, this.#seq, performance.now());
    if (whole !== null) {
      const flat = { test: WHOLE_SUITE, status: whole.status, reason: whole.reason, seq: this.#seq };
      this.#takeResult(flat, null, performance.now(), this.#begun);
    }
    this.flush(0, Number.POSITIVE_INFINITY);
  }

  #takeDialect(event: DialectEvent, seq: number, now: number): void {
    if (event.type === 'metric') {
      this.#takeMetric(event.metric);
      return;
    }
    const test = event.test === '' ? UNNAMED : event.test;
    const ended = this.#ended.get(test);
    if (event.type === 'result' && ended !== undefined) {
      this.#ended.delete(test);
      this.#takeResult({ ...event, test, seq: ended.seq }, null, ended.at, ended.window);
      return;
    }
    if (event.type === 'result') {
      this.#takeResult({ test, status: event.status, reason: event.reason, seq }, null, now, this.#since);
    } else if (ended === undefined && this.#ended.size < PLAN_MAX) {
      this.#ended.set(test, { window: this.#since, seq, at: now });
    }
    this.#since = { startedAt: now, fromSeq: seq + 1 };
    this.#last = test;
  }

  #newReader(): KtapReader {
    return new KtapReader((node) => void this.#complete.push(node));
  }

  /** Whether a line of `bytes` bytes is kept. */
  keeps(event: KtapEvent | null, bytes: number): boolean {
    return this.#kept.keeps(event, bytes, this.#current);
  }

  /** Counts something that exceeds a limit, and says so the first time. */
  leaveOut(what: string, why: string): void {
    this.#kept.leaveOut(what, why);
  }

  /** All that was left out, for people; null when nothing was. */
  summary(): string | null {
    return this.#kept.summary();
  }

  /** One line of output; `seq` is its number in the test stream. */
  take(event: KtapEvent | null, line: string, seq: number, now = performance.now()): void {
    this.#seq = seq;
    if (this.#dialect !== null) {
      for (const found of this.#dialect.line(line)) this.#takeDialect(found, seq, now);
      if (event?.type === 'metric') this.#takeMetric(event.metric);
      if (event?.type === 'malformed')
        this.#kept.note('malformed lines', `prints something malformed: ${event.problem}`);
      return;
    }
    const isLabel = this.#figures.push(line);
    this.#reader.push(line, seq);
    for (const node of this.#complete.splice(0)) this.#takeTest(node, now);
    if (event === null) {
      const diagnostic = parseDiagnostic(line);
      if (diagnostic !== null && !isLabel) this.#remark(diagnostic);
      return;
    }
    switch (event.type) {
      case 'starting':
        this.#begin(event.test, seq, now);
        return;
      case 'proof':
        if (this.#current !== null) this.#current.proof = event.proof;
        return;
      case 'metric':
        this.#takeMetric(event.metric);
        return;
      case 'bail-out':
        this.#kept.note('bail-outs', `bails out: ${event.reason}`);
        return;
      case 'malformed':
        this.#kept.note('malformed lines', `prints something malformed: ${event.problem}`);
        return;
      case 'result':
      case 'plan':
      case 'oracle-read':
      case 'meet':
        return;
    }
  }

  #begin(test: string, seq: number, now: number): void {
    this.#announcements += 1;
    if (this.#announcements > ANNOUNCEMENTS_PER_SUITE) {
      this.#kept.leaveOut('announcements', `it has announced ${ANNOUNCEMENTS_PER_SUITE} tests`);
      return;
    }
    this.#current = beginTest(test === '' ? UNNAMED : test, seq, now);
  }

  #takeMetric(metric: Metric): void {
    this.#metrics += 1;
    if (this.#current !== null) this.#current.metrics += 1;
    const test = this.#current?.test ?? this.#last ?? this.#suite;
    if ((this.#current?.metrics ?? 0) > METRICS_PER_TEST) {
      this.#kept.leaveOut('metrics', `${test} has printed ${METRICS_PER_TEST} metrics`);
    } else if (this.#metrics > METRICS_PER_SUITE) {
      this.#kept.leaveOut('metrics', `it has printed ${METRICS_PER_SUITE} metrics`);
    } else if (!this.#attemptMetrics.takes()) {
      this.#kept.leaveOut('metrics', `the suites of this attempt have printed ${METRICS_PER_ATTEMPT} metrics`);
    } else {
      const samples = metric.samples.slice(0, SAMPLES_KEPT);
      if (samples.length < metric.samples.length) {
        this.#kept.leaveOut('metrics with all their samples', `a metric has more than ${SAMPLES_KEPT} samples`);
      }
      this.#around.emit({ type: 'measurement', suite: this.#suite, test, metric: { ...metric, samples } });
    }
  }

  /** Emits results that are older than `settleMs`: by then their warnings have arrived. */
  flush(settleMs: number, now = performance.now()): void {
    while (this.#waiting[0] !== undefined && now - this.#waiting[0].endedAt >= settleMs) {
      const { result, startedAt, endedAt } = this.#waiting.shift() as PendingResult;
      const warnings = this.#around.warningsBetween(startedAt + LOG_LAG_MS, endedAt + LOG_LAG_MS);
      if (warnings.length > WARNINGS_PER_TEST) {
        this.#kept.leaveOut(
          'lists of all warnings',
          `${warnings.length} different kernel warnings came up in ${result.test}`,
        );
      }
      this.#around.emit({ type: 'result', result: { ...result, warnings: warnings.slice(0, WARNINGS_PER_TEST) } });
    }
  }

  /** A result that the suite could not give itself. */
  conclude(
    test: string,
    status: ResultStatus,
    details: { reason: string; signature?: string | null; log?: TestResult['log'] },
    now = performance.now(),
  ): void {
    this.flush(0, Number.POSITIVE_INFINITY);
    const running = this.#current?.test === test ? this.#current : null;
    if (this.#current?.test === test) this.#current = null;
    this.#done.add(test);
    this.#around.emit({
      type: 'result',
      result: {
        suite: this.#suite,
        test,
        status,
        reason: cutText(details.reason, REASON_MAX),
        durationMs: running === null ? null : now - running.startedAt,
        proof: running?.proof ?? null,
        warnings: [],
        signature: details.signature ?? null,
        log: details.log ?? null,
      },
    });
  }

  #remark(text: string): void {
    if (this.#current !== null) remark(this.#current, text);
  }

  /** A test of the first level with all that is below it. One that is only left over ends no running test. */
  #takeTest(node: KtapNode, now: number, isLeftOver = false): void {
    if (!isLeftOver) {
      const { metrics, complaint } = this.#figures.take();
      for (const metric of metrics) this.#takeMetric(metric);
      if (complaint !== null) this.#remark(`perftest: ${complaint}`);
    }
    const announced = isLeftOver ? null : node.name || this.#current?.test || null;
    const name = node.name === '' ? (announced ?? `test-${node.number ?? this.#done.size + 1}`) : node.path;
    const isPass = node.status === 'pass' && node.children.length + node.inner.length === 0;
    const isAgain = isPass && this.#passedUnnamed.delete(node.name);
    if (isPass && node.name === '' && announced !== null) this.#passedUnnamed.add(announced);
    const results = isAgain ? [] : flatten(node, name);
    for (const result of results) this.#takeResult(result, result === results.at(-1) ? announced : null, now);
    if (!isLeftOver) {
      this.#current = null;
      this.#last = name;
    }
  }

  #takeResult(flat: FlatResult, announced: string | null, now: number, window: Window | null = null): void {
    const running = announced !== null && this.#current?.test === announced ? this.#current : null;
    const test = this.#names.take(flat.test);
    // An excluded test reports that it was skipped; its real result is known already.
    if (this.#done.has(test)) return;
    if (this.#done.size >= PLAN_MAX) {
      this.#kept.leaveOut('results', `it has given ${PLAN_MAX} results`);
      return;
    }
    this.#done.add(test);
    this.#hasFailed ||= flat.status === 'fail' || flat.status === 'timeout';
    const remarks = running === null ? '' : remarksOf(running);
    const reason = flat.reason ?? (flat.status === 'pass' || remarks === '' ? null : remarks);
    this.#waiting.push({
      startedAt: running?.startedAt ?? window?.startedAt ?? now,
      endedAt: now,
      result: {
        suite: this.#suite,
        test,
        status: flat.status,
        reason: reason === null ? null : cutText(reason, REASON_MAX),
        durationMs: running !== null ? now - running.startedAt : window !== null ? now - window.startedAt : null,
        proof: running?.proof ?? null,
        warnings: [],
        signature: null,
        log: {
          stream: 'test',
          fromSeq: running?.fromSeq ?? Math.min(window?.fromSeq ?? flat.seq, flat.seq),
          toSeq: flat.seq,
        },
      },
    });
  }
}
