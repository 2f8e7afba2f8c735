import type { ResultLine } from './structure.js';
import {
  addStatus,
  addTotals,
  isExpected,
  isFailed,
  keepMessage,
  type KtapNode,
  type KtapStatus,
  type KtapSummary,
  type KtapTotals,
  noTotals,
  SiblingNames,
  signalOf,
  statusOfLine,
  totalOf,
} from './tree.js';

/** What reads the KTAP of a program behind `# `: a KtapReader. */
export interface InnerReader {
  push(line: string, at: number): void;
  end(at?: number): KtapSummary;
}

/** A level of results that is being read: a document, or the sub-tests of a test whose result has not come yet. */
export interface Level {
  /** Blanks before its lines. */
  indent: number;
  /** Its lines are indented as those of the level above it, so that names and plan alone say where it ends. */
  isInPlace: boolean;
  /** From `# Subtest: NAME`. */
  name: string | null;
  plan: number | null;
  /** Whether the plan came after results, as TAP allows: then the suite reached its end. */
  isPlanLate: boolean;
  /** The reason of `1..0 # SKIP REASON`. */
  skipAll: string | null;
  hasVersion: boolean;
  isTap: boolean;
  /** Whether results of it have numbers. */
  isNumbered: boolean;
  /** Results so far. */
  count: number;
  totals: KtapTotals;
  /** Failures in the totals that no XFAIL or TODO explains, and those of inner programs whose test says ok. */
  realFailures: number;
  nodes: KtapNode[];
  names: SiblingNames;
  /** Name of a sub-test whose lines have not begun. */
  announced: string | null;
  /** Output since the last result. */
  log: string[];
  /** Reads what the program of the running test prints as KTAP behind `# `. */
  inner: InnerReader | null;
  errors: string[];
  warnings: string[];
}

export function newLevel(
  indent: number,
  of: Partial<Pick<Level, 'isInPlace' | 'name' | 'isTap' | 'names'>> = {},
): Level {
  return {
    indent,
    isInPlace: false,
    name: null,
    plan: null,
    isPlanLate: false,
    skipAll: null,
    hasVersion: false,
    isTap: false,
    isNumbered: false,
    count: 0,
    totals: noTotals(),
    realFailures: 0,
    nodes: [],
    names: new SiblingNames(),
    announced: null,
    log: [],
    inner: null,
    errors: [],
    warnings: [],
    ...of,
  };
}

/** Whether a level says of itself that it is one; indented lines alone may be the chatter of a program. */
export const isAnnounced = (level: Level): boolean => level.hasVersion || level.plan !== null || level.name !== null;
/** Whether all planned results came. */
export const isFull = (level: Level): boolean => level.plan !== null && level.count >= level.plan;
/** A plan in the output of a program is no level: no version, no name, no result. */
export const isNothing = (level: Level): boolean =>
  level.count === 0 && !level.hasVersion && level.name === null && level.skipAll === null;

/** Whether a result at the indentation of a level is that of the test which the level's tests are part of. */
export function endsLevel(level: Level, result: ResultLine): boolean {
  const isNamed = level.name !== null && level.name === result.test;
  if (level.isInPlace) return isNamed || isFull(level);
  return isNamed && (level.plan === null || isFull(level));
}

/** Results that were only indented, and of no test: they belong to the level above. */
export function mergeLevel(level: Level, child: Level): void {
  for (const node of child.nodes) node.path = level.names.take(node.path);
  level.count += child.count;
  level.isNumbered ||= child.isNumbered;
  level.nodes.push(...child.nodes);
  addTotals(level.totals, child.totals);
  level.realFailures += child.realFailures;
  level.log = child.log;
}

/** Counts a breach of the format. */
export function addError(level: Level, message: string, times = 1): void {
  level.totals.errors += times;
  keepMessage(level.errors, message);
}

/** Compares results and plan at the end of a level, and returns how many planned results are missing. */
export function comparePlan(level: Level): number {
  const { plan, count, isPlanLate } = level;
  if (plan === null) {
    if (count > 0) keepMessage(level.warnings, 'no plan: whether results are missing is unknown');
    return 0;
  }
  if (count > plan) addError(level, `${count} results, but ${plan} were planned`);
  if (count >= plan) return 0;
  if (isPlanLate) {
    addError(level, `${count} results, but the plan after them says ${plan}`);
    return 0;
  }
  const missing = plan - count;
  addError(level, `${missing} of ${plan} planned tests have no result`, missing);
  level.totals.crashed += missing;
  return missing;
}

/**
 * The node of one test, and its share of the totals.
 * @param level where it stands; its count, totals and names are brought up to date
 * @param result null when the sub-tests ended without the result of their test
 * @param child the sub-tests
 */
export function addTest(level: Level, result: ResultLine | null, child: Level | null, line: number): KtapNode {
  const missing = child === null ? 0 : comparePlan(child);
  const totals = child?.totals ?? noTotals();
  const [errors, warnings] = [child?.errors ?? [], child?.warnings ?? []];
  const fault = (message: string): void => {
    totals.errors += 1;
    keepMessage(errors, message);
  };
  level.count += 1;
  if (result === null) fault('its sub-tests have results, it has none');
  else if (result.number !== null) {
    level.isNumbered = true;
    if (result.number !== level.count) fault(`number ${level.count} was expected, not ${result.number}`);
  }
  let status: KtapStatus = result === null ? (child?.name == null ? 'none' : 'crashed') : statusOfLine(result);
  if (child !== null && child.count === 0 && missing === 0) {
    if (child.skipAll !== null) status = isFailed(status) ? status : 'skip';
    else if (status === 'pass' || status === 'crashed') {
      status = 'none';
      fault('none of its tests ran');
    }
  }
  let realFailures = child?.realFailures ?? 0;
  if (totalOf(totals) === 0) {
    addStatus(totals, status);
    if (isFailed(status) && !isExpected(status)) realFailures += 1;
  } else if (totals.crashed > 0) {
    status = 'crashed';
  } else if (isFailed(status)) {
    // As the kernel's parser: beside skipped sub-tests alone, a test that is not ok is in no total.
    if (totals.fail === 0 && totals.pass > 0) totals.fail += 1;
    if (!isExpected(status)) realFailures = Math.max(realFailures, 1);
  } else if (realFailures > 0) {
    keepMessage(warnings, `says ${status === 'skip' ? 'skipped' : 'ok'}, but ${realFailures} of its sub-tests failed`);
    status = 'fail';
  }
  const name = result?.test ?? child?.name ?? '';
  const node: KtapNode = {
    name,
    path: level.names.take(name === '' ? `test ${result?.number ?? level.count}` : name),
    number: result?.number ?? null,
    status,
    directive: result?.directive ?? null,
    diagnostic: result?.reason ?? child?.skipAll ?? null,
    line,
    plan: child?.plan ?? null,
    missing,
    isAnnounced: child !== null && isAnnounced(child),
    children: child?.nodes ?? [],
    inner: [],
    errors,
    warnings,
    log: level.log,
  };
  const signal = signalOf(node.diagnostic);
  if (signal !== null) keepMessage(warnings, `ended by signal ${signal}`);
  takeInner(level, node, child?.names ?? new SiblingNames());
  if (node.status === 'fail' && realFailures === 0) realFailures = 1;
  level.log = [];
  level.announced = null;
  addTotals(level.totals, totals);
  level.realFailures += realFailures;
  return node;
}

/** What the test's program printed as KTAP of its own; its failures count against a test that says ok. */
function takeInner(level: Level, node: KtapNode, names: SiblingNames): void {
  if (level.inner === null) return;
  const { nodes, totals, realFailures } = level.inner.end();
  level.inner = null;
  node.inner = nodes;
  for (const test of nodes) test.path = names.take(test.path);
  if (isFailed(node.status)) return;
  if (totals.crashed > 0) keepMessage(node.warnings, `${totals.crashed} tests that its program planned have no result`);
  if (realFailures === 0 || node.status === 'crashed') return;
  keepMessage(node.warnings, `says ${node.status}, but ${realFailures} tests of its program failed`);
  node.status = 'fail';
}
