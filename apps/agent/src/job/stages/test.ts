import {
  type AttemptEvent,
  dialectReader,
  PLAN_MAX,
  whyNotMeasured,
  withoutTests,
  type WorkSuite,
} from '@peerlab/contracts';
import { script } from '../../machine/command.js';
import { resetToDefault } from '../candidate-boot.js';
import { messageOf } from '../../error-message.js';
import { crashFailure, JobFailure } from '../failure.js';
import { LeftFiles } from '../left-files.js';
import { isOwn, prepareOwnSuite, readResultsFile } from '../own-suite.js';
import { killSuite } from '../suite-command.js';
import { METRICS_PER_ATTEMPT, Quota } from '../suite-limits.js';
import { SuiteProgress } from '../suite-progress.js';
import { WHOLE_SUITE } from '../suite-results.js';
import { planUnknownSuites } from '../suite-plan.js';
import { type SuiteEnd, runSuiteOnce } from '../suite-run.js';
import type { AttemptContext } from '../attempt-context.js';
import { checkLink, readLinkDowns } from '../link-watch.js';
import { meetPeers } from '../meet-peers.js';
import { tryMutants } from '../try-mutants.js';
import { loadModules, rebootCandidate, recoverDefault } from '../test-kernel.js';

/** Times that the candidate is booted again within one suite. */
const REBOOTS_PER_SUITE = 3;

/** Runs every suite; a crash or a hang costs the test that caused it, and the rest still runs. */
export async function test(context: AttemptContext): Promise<string> {
  await planUnknownSuites(context);
  await loadModules(context);
  await meetPeers(context);
  const unmeasured = whyNotMeasured(context.work.manifest);
  if (unmeasured !== null) context.note(`test: figures that suites measure are not kept: ${unmeasured}`);
  let interruptions = 0;
  const metrics = new Quota(METRICS_PER_ATTEMPT);
  const leftFiles = new LeftFiles();
  for (const suite of context.work.suites) {
    const before = context.connection.session === null ? null : await readLinkDowns(context);
    interruptions += await runSuite(context, suite, metrics);
    if (context.connection.session !== null) checkLink(context, suite.name, before, await readLinkDowns(context));
    context.meetings?.leave(suite.name);
    if (isOwn(suite) && context.connection.session !== null) await leftFiles.collect(context, suite);
  }
  await tryMutants(context);
  // Another role may have more suites.
  context.meetings?.giveUp('is through with all of its suites');
  return interruptions === 0
    ? `${context.work.suites.length} suites ran`
    : `${context.work.suites.length} suites ran, ${interruptions} times interrupted by a crash or a hang`;
}

/** Resolves to the number of interruptions. */
async function runSuite(context: AttemptContext, suite: WorkSuite, metrics: Quota): Promise<number> {
  const around = {
    emit: (event: AttemptEvent) => context.emit(event),
    warningsBetween: (from: number, to: number) => context.kernelLog.warningsBetween(from, to),
    note: (text: string) => context.note(text),
    say: (text: string) => {
      context.note(`test: ${text}`);
      context.spool.appendLine('test', `# peerlab: ${text}`);
    },
  };
  const plan = (context.plans.get(suite.name) ?? suite.tests).slice(0, PLAN_MAX);
  const progress = new SuiteProgress(suite.name, plan, around, metrics, dialectReader(suite.own?.dialect ?? 'ktap'));
  try {
    return await runToEnd(context, suite, progress);
  } finally {
    const summary = progress.summary();
    if (summary !== null) around.note(`test: ${summary}`);
  }
}

async function runToEnd(context: AttemptContext, suite: WorkSuite, progress: SuiteProgress): Promise<number> {
  let timeLeftMs = suite.timeoutSeconds * 1000;
  for (let interruptions = 0; ; interruptions += 1) {
    if (context.connection.session === null) await rebootCandidate(context);
    const lacks = isOwn(suite) ? await prepareOwnSuite(context, suite) : null;
    if (lacks !== null) {
      context.note(`test: ${suite.name} is not started (${lacks.status}): ${lacks.reason}`);
      progress.conclude(WHOLE_SUITE, lacks.status, { reason: lacks.reason });
      return interruptions;
    }
    const startedAt = performance.now();
    const end = await runSuiteOnce(context, suite, progress, timeLeftMs);
    timeLeftMs -= performance.now() - startedAt;
    if (end.kind === 'exited') {
      await finishSuite(context, suite, progress, end);
      return interruptions;
    }
    await takeInterruption(context, suite, progress, end);
    const left = progress.remaining();
    if (left.length === 0) return interruptions + 1;
    const why =
      end.kind === 'suite-timeout' || timeLeftMs <= 0
        ? `the suite ran past its limit of ${suite.timeoutSeconds} s`
        : interruptions >= REBOOTS_PER_SUITE
          ? `the suite was interrupted ${interruptions + 1} times`
          : null;
    if (why !== null) {
      context.note(`test: ${suite.name}: ${why}; ${left.length} tests were not reached`);
      for (const id of left) progress.conclude(id, 'not-reached', { reason: why });
      return interruptions + 1;
    }
  }
}

async function finishSuite(
  context: AttemptContext,
  suite: WorkSuite,
  progress: SuiteProgress,
  end: Extract<SuiteEnd, { kind: 'exited' }>,
): Promise<void> {
  // What the kernel said up to here belongs to the last tests.
  await context.kernelLog.catchUp(context.connection.require(), context.signal);
  const how = end.code === null ? `was ended by ${end.signal ?? 'a signal'}` : `exited with ${end.code}`;
  if (progress.resultsFile !== null && isOwn(suite)) {
    const text = await readResultsFile(context, suite, progress.resultsFile);
    if (text !== null) progress.takeFile(text);
  }
  progress.endSuite({ code: end.code, how });
  const { running } = progress;
  if (running !== null) {
    progress.conclude(running.test, 'fail', { reason: `the test program ${how} in the middle of this test` });
  }
  const left = progress.remaining();
  if (left.length > 0 || (end.code !== 0 && end.code !== 1)) {
    context.note(`test: harness: ${suite.name} ${how} before its plan was done; ${left.length} tests were not reached`);
  }
  const nothingRan = progress.finished().length === 0;
  const { status, reason } = withoutTests({ code: end.code, how }, 'it ran no test');
  for (const id of left) {
    if (nothingRan && status === 'no-result') progress.conclude(id, status, { reason: reason ?? '' });
    else progress.conclude(id, 'not-reached', { reason: `the test program ${how} before it` });
  }
  context.note(`test: ${suite.name} ${how}, ${progress.finished().length} results`);
}

/** Gives the interrupting test its result and brings the machine to its default kernel where needed. */
async function takeInterruption(
  context: AttemptContext,
  suite: WorkSuite,
  progress: SuiteProgress,
  end: Exclude<SuiteEnd, { kind: 'exited' }>,
): Promise<void> {
  const bootId = context.candidate?.bootId ?? '';
  progress.endOutput();
  switch (end.kind) {
    case 'crash': {
      const failure = crashFailure(`the kernel crashed: ${end.crash.signature}`, end.crash.signature);
      if (failure.failureClass !== 'kernel-crash') {
        progress.flush(0, Number.POSITIVE_INFINITY);
        throw failure;
      }
      concludeCrash(context, progress, end.crash.signature, {
        stream: 'serial',
        fromSeq: end.crash.fromSeq,
        toSeq: end.crash.toSeq,
      });
      endWithPeers(context, end.crash.signature);
      await recoverDefault(context, bootId);
      // The connection is to the default kernel: the next round starts with booting the candidate.
      context.kernelLog.detach();
      await rebootUnlessLast(context, suite, progress);
      return;
    }
    case 'hang': {
      context.note(`test: ${end.test} ran past its limit of ${end.limitSeconds} s`);
      await showBlockedTasks(context);
      progress.conclude(end.test, 'timeout', {
        reason: `ran past its limit of ${end.limitSeconds} s; the machine was reset`,
      });
      context.kernelLog.detach();
      await resetToDefault(context);
      await rebootUnlessLast(context, suite, progress);
      return;
    }
    case 'suite-timeout': {
      const { running } = progress;
      await showBlockedTasks(context);
      if (running !== null) {
        progress.conclude(running.test, 'timeout', {
          reason: `the suite ran past its limit of ${end.limitSeconds} s in this test; the machine was reset`,
        });
      } else if (progress.remaining().length === 0) {
        progress.conclude(WHOLE_SUITE, 'timeout', {
          reason: `ran past its limit of ${end.limitSeconds} s; the machine was reset`,
        });
      }
      context.kernelLog.detach();
      await resetToDefault(context);
      if (hasNextSuite(context, suite)) await rebootCandidate(context);
      return;
    }
    case 'lost': {
      const serialBefore = context.serial.next;
      const booted = await context.connection
        .awaitBoot(null, () => context.recoverMs, context.signal)
        .catch((error: unknown) => {
          context.signal.throwIfAborted();
          context.note(`test: ${messageOf(error)}`);
          return null;
        });
      if (booted === null) {
        // Its network may be gone, or all of it: nothing says that the kernel crashed.
        const log = context.serialRange(Math.max(0, serialBefore - 20));
        progress.conclude(progress.suspect()?.test ?? WHOLE_SUITE, 'timeout', {
          reason: 'the machine did not answer any more, and was reset',
          log,
        });
        context.kernelLog.detach();
        await resetToDefault(context);
        await rebootUnlessLast(context, suite, progress);
        return;
      }
      if (booted.kernel.bootId === bootId) {
        context.note(
          'test: the machine kept running; only the connection broke. Going on with the tests that are left',
        );
        await killSuite(booted.session, context.paths.folder);
        if (isOwn(suite)) {
          const message = `the connection to ${context.machine.name} broke while ${suite.name} ran, which cannot go on where it was`;
          throw new JobFailure('infrastructure', message);
        }
        await context.kernelLog.attach(booted.session, booted.kernel);
        return;
      }
      concludeCrash(context, progress, 'silent reset', context.serialRange(Math.max(0, serialBefore - 20)));
      endWithPeers(context, 'silent reset');
      await rebootUnlessLast(context, suite, progress);
    }
  }
}

function concludeCrash(
  context: AttemptContext,
  progress: SuiteProgress,
  signature: string,
  log: ReturnType<AttemptContext['serialRange']>,
): void {
  const suspect = progress.suspect();
  const test = suspect?.test ?? 'teardown';
  const reason =
    suspect === null
      ? 'the kernel crashed after the last test'
      : suspect.announced
        ? 'the kernel crashed in this test'
        : 'the kernel crashed when this test was next; its announcement did not arrive';
  context.note(`test: crash in ${test}: ${signature}`);
  progress.conclude(test, 'crash', { reason, signature, log });
}

/**
 * A crash of one of several participants ends the attempt: the other one was in the middle of something with this machine,
 * and what it would see from here on says nothing of its kernel. Alone, the machine goes on with the tests that are left.
 */
function endWithPeers({ assignment }: AttemptContext, signature: string): void {
  if (assignment.peers.length === 0) return;
  throw crashFailure(`the kernel crashed: ${signature}`, signature);
}

const hasNextSuite = (context: AttemptContext, suite: WorkSuite): boolean =>
  context.work.suites.at(-1)?.name !== suite.name;

/** Nothing is left to run: restore starts from the default kernel, which is there already. */
async function rebootUnlessLast(context: AttemptContext, suite: WorkSuite, progress: SuiteProgress): Promise<void> {
  if (progress.remaining().length > 0 || hasNextSuite(context, suite)) await rebootCandidate(context);
}

/** Makes a kernel that hangs write what its tasks wait for onto the console; best effort. */
async function showBlockedTasks(context: AttemptContext): Promise<void> {
  const command = script('sysrq', {}, 'echo w > /proc/sysrq-trigger; echo l > /proc/sysrq-trigger');
  await context.connection.session?.exec(command, { timeoutMs: 3_000 }).catch((error: unknown) => {
    context.note(`test: no list of blocked tasks: ${messageOf(error)}`);
  });
}
