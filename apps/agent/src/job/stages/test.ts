import { type AttemptEvent, PLAN_MAX, type SuiteEntry } from '@peerlab/contracts';
import { script } from '../../machine/command.js';
import { resetToDefault } from '../candidate-boot.js';
import { messageOf } from '../../error-message.js';
import { killSuite } from '../suite-command.js';
import { METRICS_PER_ATTEMPT, Quota } from '../suite-limits.js';
import { SuiteProgress } from '../suite-progress.js';
import { planUnknownSuites } from '../suite-plan.js';
import { type SuiteEnd, runSuiteOnce } from '../suite-run.js';
import type { TestBench } from '../test-bench.js';
import { loadModules, rebootCandidate, recoverDefault } from '../test-kernel.js';

/** Times that the candidate is booted again within one suite. */
const REBOOTS_PER_SUITE = 3;

/** Runs every suite; a crash or a hang costs the test that caused it, and the rest still runs. */
export async function test(bench: TestBench): Promise<string> {
  await planUnknownSuites(bench);
  await loadModules(bench);
  let interruptions = 0;
  const metrics = new Quota(METRICS_PER_ATTEMPT);
  for (const suite of bench.work.suites) interruptions += await runSuite(bench, suite, metrics);
  return interruptions === 0
    ? `${bench.work.suites.length} suites ran`
    : `${bench.work.suites.length} suites ran, ${interruptions} times interrupted by a crash or a hang`;
}

/** Resolves to the number of interruptions. */
async function runSuite(bench: TestBench, suite: SuiteEntry, metrics: Quota): Promise<number> {
  const around = {
    emit: (event: AttemptEvent) => bench.emit(event),
    warningsBetween: (from: number, to: number) => bench.kernelLog.warningsBetween(from, to),
    note: (text: string) => bench.note(text),
    say: (text: string) => {
      bench.note(`test: ${text}`);
      bench.spool.appendLine('test', `# peerlab: ${text}`);
    },
  };
  const plan = (bench.plans.get(suite.name) ?? suite.tests).slice(0, PLAN_MAX);
  const progress = new SuiteProgress(suite.name, plan, around, metrics);
  try {
    return await runToEnd(bench, suite, progress);
  } finally {
    const summary = progress.summary();
    if (summary !== null) around.note(`test: ${summary}`);
  }
}

async function runToEnd(bench: TestBench, suite: SuiteEntry, progress: SuiteProgress): Promise<number> {
  let timeLeftMs = suite.timeoutSeconds * 1000;
  for (let interruptions = 0; ; interruptions += 1) {
    if (bench.host.session === null) await rebootCandidate(bench);
    const startedAt = performance.now();
    const end = await runSuiteOnce(bench, suite, progress, timeLeftMs);
    timeLeftMs -= performance.now() - startedAt;
    if (end.kind === 'exited') {
      await finishSuite(bench, suite, progress, end);
      return interruptions;
    }
    await takeInterruption(bench, suite, progress, end);
    const left = progress.remaining();
    if (left.length === 0) return interruptions + 1;
    const why =
      end.kind === 'suite-timeout' || timeLeftMs <= 0
        ? `the suite ran past its limit of ${suite.timeoutSeconds} s`
        : interruptions >= REBOOTS_PER_SUITE
          ? `the suite was interrupted ${interruptions + 1} times`
          : null;
    if (why !== null) {
      bench.note(`test: ${suite.name}: ${why}; ${left.length} tests were not reached`);
      for (const id of left) progress.conclude(id, 'not-reached', { reason: why });
      return interruptions + 1;
    }
  }
}

async function finishSuite(
  bench: TestBench,
  suite: SuiteEntry,
  progress: SuiteProgress,
  end: Extract<SuiteEnd, { kind: 'exited' }>,
): Promise<void> {
  // What the kernel said up to here belongs to the last tests.
  await bench.kernelLog.catchUp(bench.host.require(), bench.signal);
  progress.flush(0, Number.POSITIVE_INFINITY);
  const how = end.code === null ? `was ended by ${end.signal ?? 'a signal'}` : `exited with ${end.code}`;
  const { running } = progress;
  if (running !== null) {
    progress.conclude(running.test, 'fail', { reason: `the test program ${how} in the middle of this test` });
  }
  const left = progress.remaining();
  if (left.length > 0 || (end.code !== 0 && end.code !== 1)) {
    bench.note(`test: harness: ${suite.name} ${how} before its plan was done; ${left.length} tests were not reached`);
  }
  for (const id of left) progress.conclude(id, 'not-reached', { reason: `the test program ${how} before it` });
  bench.note(`test: ${suite.name} ${how}, ${progress.finished().length} results`);
}

/** Gives the interrupting test its result and brings the machine to its default kernel where needed. */
async function takeInterruption(
  bench: TestBench,
  suite: SuiteEntry,
  progress: SuiteProgress,
  end: Exclude<SuiteEnd, { kind: 'exited' }>,
): Promise<void> {
  const bootId = bench.candidate?.bootId ?? '';
  switch (end.kind) {
    case 'crash': {
      concludeCrash(bench, progress, end.crash.signature, {
        stream: 'serial',
        fromSeq: end.crash.fromSeq,
        toSeq: end.crash.toSeq,
      });
      await recoverDefault(bench, bootId);
      // The connection is to the default kernel: the next round starts with booting the candidate.
      bench.kernelLog.detach();
      await rebootUnlessLast(bench, suite, progress);
      return;
    }
    case 'hang': {
      bench.note(`test: ${end.test} ran past its limit of ${end.limitSeconds} s`);
      await showBlockedTasks(bench);
      progress.conclude(end.test, 'timeout', {
        reason: `ran past its limit of ${end.limitSeconds} s; the machine was reset`,
      });
      bench.kernelLog.detach();
      await resetToDefault(bench, bootId);
      await rebootUnlessLast(bench, suite, progress);
      return;
    }
    case 'suite-timeout': {
      const { running } = progress;
      await showBlockedTasks(bench);
      if (running !== null) {
        progress.conclude(running.test, 'timeout', {
          reason: `the suite ran past its limit of ${end.limitSeconds} s in this test; the machine was reset`,
        });
      }
      bench.kernelLog.detach();
      await resetToDefault(bench, bootId);
      if (hasNextSuite(bench, suite)) await rebootCandidate(bench);
      return;
    }
    case 'lost': {
      const serialBefore = bench.serial.next;
      const booted = await bench.host
        .awaitBoot(null, () => bench.pace.recoverMs, bench.signal)
        .catch((error: unknown) => {
          bench.signal.throwIfAborted();
          bench.note(`test: ${messageOf(error)}`);
          return resetToDefault(bench, bootId);
        });
      if (booted.kernel.bootId === bootId) {
        bench.note('test: the machine kept running; only the connection broke. Going on with the tests that are left');
        await killSuite(booted.session, bench.paths.folder);
        await bench.kernelLog.attach(booted.session, booted.kernel);
        return;
      }
      concludeCrash(bench, progress, 'silent reset', bench.serialRange(Math.max(0, serialBefore - 20)));
      await rebootUnlessLast(bench, suite, progress);
    }
  }
}

function concludeCrash(
  bench: TestBench,
  progress: SuiteProgress,
  signature: string,
  log: ReturnType<TestBench['serialRange']>,
): void {
  const suspect = progress.suspect();
  const test = suspect?.test ?? 'teardown';
  const reason =
    suspect === null
      ? 'the kernel crashed after the last test'
      : suspect.announced
        ? 'the kernel crashed in this test'
        : 'the kernel crashed when this test was next; its announcement did not arrive';
  bench.note(`test: crash in ${test}: ${signature}`);
  progress.conclude(test, 'crash', { reason, signature, log });
}

const hasNextSuite = (bench: TestBench, suite: SuiteEntry): boolean => bench.work.suites.at(-1)?.name !== suite.name;

/** Nothing is left to run: restore starts from the default kernel, which is there already. */
async function rebootUnlessLast(bench: TestBench, suite: SuiteEntry, progress: SuiteProgress): Promise<void> {
  if (progress.remaining().length > 0 || hasNextSuite(bench, suite)) await rebootCandidate(bench);
}

/** Makes a kernel that hangs write what its tasks wait for onto the console; best effort. */
async function showBlockedTasks(bench: TestBench): Promise<void> {
  const command = script('sysrq', {}, 'echo w > /proc/sysrq-trigger; echo l > /proc/sysrq-trigger');
  await bench.host.session?.exec(command, { timeoutMs: 3_000 }).catch((error: unknown) => {
    bench.note(`test: no list of blocked tasks: ${messageOf(error)}`);
  });
}
