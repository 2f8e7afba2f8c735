import {
  cutText,
  type KtapNode,
  type KtapSummary,
  REASON_MAX,
  type ResultStatus,
  type SuiteExit,
  type WholeSuite,
  withoutTests,
} from '@peerlab/contracts';

/** What a suite that does not list its tests is called where the suite itself failed, and no test of it. */
export const WHOLE_SUITE = 'whole suite';

/** One result as the farm stores it. */
export interface FlatResult {
  /** `parent/child`; see TEST_ID_MAX. */
  test: string;
  status: ResultStatus;
  /** What stands in the results themselves; null when nothing does. */
  reason: string | null;
  /** Sequence of its line in the stream. */
  seq: number;
}

/**
 * The results below a test, and then its own, named `name`. Sub-tests that are only indented lines may be the chatter
 * of a program: of those, failures alone are results.
 */
export function flatten(node: KtapNode, name: string): FlatResult[] {
  const below = [...node.children, ...node.inner].flatMap((child) =>
    flatten(child, `${name}${child.path.slice(node.path.length)}`),
  );
  const isChatter = node.inner.length === 0 && !node.isAnnounced;
  const kept = isChatter ? below.filter(({ status }) => status === 'fail' || status === 'timeout') : below;
  return [...kept, { test: name, status: statusOf(node), reason: reasonOf(node), seq: node.line }];
}

/** A test that is not ok as it was expected is no failure; one whose sub-tests are missing is. */
function statusOf({ status }: KtapNode): ResultStatus {
  switch (status) {
    case 'pass':
    case 'skip':
    case 'timeout':
      return status;
    case 'xfail':
    case 'todo':
      return 'skip';
    case 'fail':
    case 'error':
    case 'crashed':
    case 'none':
      return 'fail';
  }
}

function reasonOf(node: KtapNode): string | null {
  const status = statusOf(node);
  const said = node.diagnostic === null ? [] : [node.diagnostic];
  if (status !== 'pass' && status !== 'skip') said.push(...node.warnings);
  if (node.status === 'crashed' || node.status === 'none') said.push(...node.errors);
  return said.length === 0 ? null : cutText(said.join('; '), REASON_MAX);
}

/**
 * The result of a suite itself whose list of tests is not known; null when its tests say everything. A missing plan
 * alone is no fault. kselftest ends with 4 when everything was skipped.
 * @param hasFailed whether one of its results says so
 */
export function faultOfSuite(
  { status, missing, plan, errors, warnings }: KtapSummary,
  end: SuiteExit,
  hasFailed: boolean,
): WholeSuite | null {
  const fail = (reason: string): WholeSuite => ({ status: 'fail', reason });
  if (missing > 0) return fail(`${missing} of ${plan} planned tests have no result: the test program ${end.how}`);
  if (end.code === null) return fail(`the test program ${end.how}`);
  const bailOut = [...errors, ...warnings].find((text) => text.startsWith('it bailed out'));
  if (bailOut !== undefined) return fail(bailOut);
  if (status === 'none') return withoutTests(end, errors.join('; '));
  if (end.code !== 0 && end.code !== 4 && !hasFailed) return fail(`the test program ${end.how}, but no test failed`);
  return null;
}
