import { FAILURE_POLICY, FARM_SUITE, suiteOfVariant, verdictOfFailure, type Verdict } from '@peerlab/contracts';
import type { SuiteOutline } from '../attempts/participant-store.js';
import type { StoredFailure } from '../schema/attempts.js';

/** Stands for a whole suite whose tests are not known. */
export const WHOLE_SUITE = '(suite)';

const SUITE_STRIDE = 10_000;
const UNKNOWN_SUITE_POSITION = 800 * SUITE_STRIDE;
const RESTORE_POSITION = 900 * SUITE_STRIDE;

export interface ExpectedTest {
  suite: string;
  test: string;
  position: number;
}

/** All suites of a job: those of the bundle, in its order, and then those that the run brings. */
export function suitesOfJob(
  ofBundle: readonly SuiteOutline[],
  ofRun: readonly { name: string }[],
  wanted: readonly string[],
): SuiteOutline[] {
  const own = new Set(ofRun.map(({ name }) => name));
  const names = [...new Set(wanted)].filter((name) => own.has(suiteOfVariant(name)));
  return [...ofBundle, ...names.map((name) => ({ name, tests: [] }))];
}

/** Position of a suite's first test in the grid; the tests of `farm` stand before and after the suites. */
export function suitePosition(suites: readonly SuiteOutline[], suite: string, test: string): number {
  if (suite === FARM_SUITE) return test === 'restore' ? RESTORE_POSITION : 0;
  const index = suites.findIndex(({ name }) => name === suite);
  return index === -1 ? UNKNOWN_SUITE_POSITION : (index + 1) * SUITE_STRIDE;
}

/**
 * Tests that should have a result: those that the suite announced, else those of the manifest, else one row for the
 * suite, so that every requested suite is shown.
 */
export function expectedTests(
  wanted: readonly string[],
  suites: readonly SuiteOutline[],
  planned: readonly ExpectedTest[],
): ExpectedTest[] {
  // A run may name a suite twice, and a manifest a test: each has one result.
  return [...new Set(wanted)].flatMap((suite) => {
    const announced = planned.filter((test) => test.suite === suite);
    const outline = suites.find(({ name }) => name === suite);
    const listed = [...new Set(outline?.tests)].map((test, index) => ({
      suite,
      test,
      position: suitePosition(suites, suite, test) + index,
    }));
    if (announced.length > 0) return announced;
    if (listed.length > 0) return listed;
    return [{ suite, test: WHOLE_SUITE, position: suitePosition(suites, suite, WHOLE_SUITE) }];
  });
}

/** Verdict of a test that has no result when its attempt ends. */
export function verdictOfUnreached(failure: StoredFailure | null): { verdict: Verdict; reason: string } {
  if (failure === null) return { verdict: 'not-reached', reason: 'it was not run' };
  const verdict = FAILURE_POLICY[failure.class].finding ? 'not-reached' : verdictOfFailure(failure.class);
  return { verdict, reason: failure.message };
}
