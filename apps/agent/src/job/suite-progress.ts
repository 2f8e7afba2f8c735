import type { AttemptEvent, KtapEvent, ResultStatus, TestResult } from '@peerlab/contracts';

type KtapResult = Extract<KtapEvent, { type: 'result' }>;

interface RunningTest {
  test: string;
  /** `performance.now()` at its announcement. */
  startedAt: number;
  fromSeq: number;
  proof: TestResult['proof'];
  /** The first REMARKS_KEPT diagnostics; the first is nearly always the cause. */
  remarks: string[];
  remarksLeftOut: number;
  /** Lines of plain output so far. */
  lines: number;
}

interface PendingResult {
  result: TestResult;
  startedAt: number;
  endedAt: number;
}

export interface ProgressSurroundings {
  emit(event: AttemptEvent): void;
  /** Titles of kernel warnings that arrived between two `performance.now()` moments. */
  warningsBetween(from: number, to: number): string[];
  note(text: string): void;
}

/** How far the kernel log lags behind the suite's output, in ms; both come over one connection. */
const LOG_LAG_MS = 10;
const REMARKS_KEPT = 3;
/**
 * Lines of plain output kept of one test. A comparison that fails for every word of a page prints
 * thousands; far beyond that, a log serves nobody and every further line is only work.
 */
export const LINES_KEPT = 10_000;

/** What is known of a suite over all its invocations: the plan, who ran, who is running. */
export class SuiteProgress {
  private readonly done = new Set<string>();
  private readonly waiting: PendingResult[] = [];
  private current: RunningTest | null = null;
  private last: string | null = null;

  constructor(
    private readonly suite: string,
    private readonly plan: readonly string[],
    private readonly around: ProgressSurroundings,
  ) {}

  /** The announced test without a result. */
  get running(): Readonly<RunningTest> | null {
    return this.current;
  }

  /** Tests that have their result, in the order they got it. */
  finished(): string[] {
    return [...this.done];
  }

  remaining(): string[] {
    return this.plan.filter((test) => !this.done.has(test));
  }

  /**
   * Whom a crash belongs to: the running test, else the next one of the plan, whose announcement
   * may have died with the machine; null when all are through.
   */
  suspect(): { test: string; announced: boolean } | null {
    if (this.current !== null) return { test: this.current.test, announced: true };
    const next = this.remaining()[0];
    return next === undefined ? null : { test: next, announced: false };
  }

  /** A new invocation: nothing is running. */
  restart(): void {
    this.current = null;
  }

  /**
   * Whether a line is kept: all that has a meaning, and of the rest LINES_KEPT of each test. Says so
   * once when it begins to leave lines out.
   */
  keeps(event: KtapEvent | null): boolean {
    if (event !== null || this.current === null) return true;
    this.current.lines += 1;
    if (this.current.lines === LINES_KEPT + 1)
      this.around.note(`test: ${this.current.test} has printed ${LINES_KEPT} lines; further ones are left out`);
    return this.current.lines <= LINES_KEPT;
  }

  /** One line of output; `seq` is its number in the test stream. */
  take(event: KtapEvent | null, line: string, seq: number, now = performance.now()): void {
    if (event === null) {
      if (line.startsWith('# ') && this.current !== null) this.remark(line.slice(2));
      return;
    }
    switch (event.type) {
      case 'starting':
        this.current = {
          test: event.test,
          startedAt: now,
          fromSeq: seq,
          proof: null,
          remarks: [],
          remarksLeftOut: 0,
          lines: 0,
        };
        return;
      case 'proof':
        if (this.current !== null) this.current.proof = event.proof;
        return;
      case 'metric':
        this.around.emit({
          type: 'measurement',
          suite: this.suite,
          test: this.current?.test ?? this.last ?? this.suite,
          metric: event.metric,
        });
        return;
      case 'result':
        if (event.depth === 0) this.takeResult(event, seq, now);
        return;
      case 'bail-out':
        this.around.note(`test: ${this.suite} bails out: ${event.reason}`);
        return;
      case 'malformed':
        this.around.note(`test: ${this.suite} prints something malformed: ${event.problem}`);
        return;
      case 'plan':
      case 'oracle-read':
        return;
    }
  }

  /** Emits results that are older than `settleMs`: by then their warnings have arrived. */
  flush(settleMs: number, now = performance.now()): void {
    while (this.waiting[0] !== undefined && now - this.waiting[0].endedAt >= settleMs) {
      const { result, startedAt, endedAt } = this.waiting.shift() as PendingResult;
      const warnings = this.around.warningsBetween(startedAt + LOG_LAG_MS, endedAt + LOG_LAG_MS);
      this.around.emit({ type: 'result', result: { ...result, warnings } });
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
    const running = this.current?.test === test ? this.current : null;
    if (this.current?.test === test) this.current = null;
    this.done.add(test);
    this.around.emit({
      type: 'result',
      result: {
        suite: this.suite,
        test,
        status,
        reason: details.reason.slice(0, 2000),
        durationMs: running === null ? null : now - running.startedAt,
        proof: running?.proof ?? null,
        warnings: [],
        signature: details.signature ?? null,
        log: details.log ?? null,
      },
    });
  }

  private remark(text: string): void {
    if (this.current === null) return;
    if (this.current.remarks.length < REMARKS_KEPT) this.current.remarks.push(text);
    else this.current.remarksLeftOut += 1;
  }

  private takeResult(event: KtapResult, seq: number, now: number): void {
    const test = event.test || this.current?.test || `test-${event.number}`;
    const running = this.current?.test === test ? this.current : null;
    this.current = null;
    this.last = test;
    // A test that we excluded says so; its true result is known already.
    if (this.done.has(test)) return;
    this.done.add(test);
    const status = statusOf(event);
    const remarks = running === null ? '' : summarise(running);
    const reason = event.reason ?? (status === 'pass' || remarks === '' ? null : remarks);
    this.waiting.push({
      startedAt: running?.startedAt ?? now,
      endedAt: now,
      result: {
        suite: this.suite,
        test,
        status,
        reason: reason?.slice(0, 2000) ?? null,
        durationMs: running === null ? null : now - running.startedAt,
        proof: running?.proof ?? null,
        warnings: [],
        signature: null,
        log: { stream: 'test', fromSeq: running?.fromSeq ?? seq, toSeq: seq },
      },
    });
  }
}

function summarise({ remarks, remarksLeftOut }: RunningTest): string {
  return [...remarks, ...(remarksLeftOut > 0 ? [`and ${remarksLeftOut} more lines`] : [])].join('; ');
}

function statusOf(event: KtapResult): ResultStatus {
  switch (event.directive) {
    case 'SKIP':
      return 'skip';
    case 'TIMEOUT':
      return 'timeout';
    case 'TODO':
    case 'XFAIL':
      return event.ok ? 'pass' : 'skip';
    case null:
      return event.ok ? 'pass' : 'fail';
  }
}
