import type { SuiteEntry } from '@peerlab/contracts';
import { messageOf } from '../error-message.js';
import { listTests } from './suite-command.js';
import type { TestBench } from './test-bench.js';

/** Makes a suite's tests known, so that those that will not run are shown. Without tests it does nothing. */
export function planSuite(bench: TestBench, suite: SuiteEntry, tests: readonly string[]): void {
  if (tests.length === 0) return;
  bench.plans.set(suite.name, [...tests]);
  bench.emit({ type: 'plan', suite: suite.name, tests: [...tests] });
  bench.note(`plan: suite ${suite.name} has ${tests.length} tests`);
}

/**
 * Asks the suites of a bundle whose manifest does not name their tests, on the candidate. A suite that does not say
 * it, or kills the kernel when it is asked, runs without a plan.
 */
export async function planUnknownSuites(bench: TestBench): Promise<void> {
  for (const suite of bench.work.suites) {
    const { session } = bench.host;
    if (session === null || bench.plans.has(suite.name)) continue;
    try {
      planSuite(bench, suite, (await listTests(session, bench.paths.folder, suite, bench.signal)) ?? []);
    } catch (error) {
      bench.signal.throwIfAborted();
      bench.note(`plan: suite ${suite.name} could not be asked for its tests: ${messageOf(error)}`);
    }
    if (!bench.plans.has(suite.name)) bench.note(`plan: suite ${suite.name} does not list its tests`);
  }
}
