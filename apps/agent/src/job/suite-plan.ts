import type { SuiteEntry } from '@peerlab/contracts';
import { messageOf } from '../error-message.js';
import { isOwn } from './own-suite.js';
import { listTests } from './suite-command.js';
import type { AttemptContext } from './attempt-context.js';

/** Makes a suite's tests known, so that those that will not run are shown. Without tests it does nothing. */
export function planSuite(context: AttemptContext, suite: SuiteEntry, tests: readonly string[]): void {
  if (tests.length === 0) return;
  context.plans.set(suite.name, [...tests]);
  context.emit({ type: 'plan', suite: suite.name, tests: [...tests] });
  context.note(`plan: suite ${suite.name} has ${tests.length} tests`);
}

/**
 * Asks the suites of a bundle whose manifest does not name their tests, on the candidate. A suite that does not say
 * it, or kills the kernel when it is asked, runs without a plan.
 */
export async function planUnknownSuites(context: AttemptContext): Promise<void> {
  for (const suite of context.work.suites) {
    const { session } = context.connection;
    if (session === null || isOwn(suite) || context.plans.has(suite.name)) continue;
    try {
      planSuite(context, suite, (await listTests(session, context.paths.folder, suite, context.signal)) ?? []);
    } catch (error) {
      context.signal.throwIfAborted();
      context.note(`plan: suite ${suite.name} could not be asked for its tests: ${messageOf(error)}`);
    }
    if (!context.plans.has(suite.name)) context.note(`plan: suite ${suite.name} does not list its tests`);
  }
}
