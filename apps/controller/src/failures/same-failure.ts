import {
  bySeverity,
  FAILURE_POLICY,
  FailureClass,
  VERDICT_TABLE,
  verdictOfFailure,
  VERDICTS,
  type FailureSubject,
  type KnownFailure,
} from '@peerlab/contracts';
import { notFound, ProblemError } from '../platform/http/problem.js';

/** Verdicts that are failures of their own: someone has to look at them. */
export const FAILURE_VERDICTS = VERDICTS.filter((verdict) => VERDICT_TABLE[verdict].wrong);
/** Classes of attempts that failed; those that were stopped on request did not. */
const FAILURE_CLASSES = FailureClass.options
  .filter((each) => FAILURE_POLICY[each].tone === 'bad')
  .toSorted((x, y) => bySeverity(verdictOfFailure(x), verdictOfFailure(y)));

/**
 * Stands for the suite where an attempt failed and not a test; the stage stands for the test. No suite has this name: it is
 * no Name.
 */
export const ATTEMPT_SUITE = '(attempt)';

/** A table with failures, and where its rows have what the statements of this room need; all parts are SQL. */
export interface FailureSource {
  /** The table with an alias. */
  rows: string;
  /** Which failure a row is: the expression of an index. */
  key: string;
  suite: string;
  test: string;
  /** Verdict of a result, class of an attempt. */
  kind: string;
  signature: string;
  reason: string;
  attempt: string;
  /** Of the participant that failed; null where no one of them did. */
  role: string;
  /** Of that participant. */
  machine: string;
  at: string;
  position: string;
  /** Condition that a row is a failure, as the index has it. @param kinds placeholder of `kinds` */
  isFailure: (kinds: string) => string;
  /** Those that are failures, the worst first. */
  kinds: readonly string[];
  /** The same with another alias. */
  as: (alias: string) => FailureSource;
}

const resultsAs = (alias: string): FailureSource => ({
  rows: `result ${alias}`,
  key: `failure_key(${alias}.verdict, ${alias}.signature, ${alias}.reason)`,
  suite: `${alias}.suite`,
  test: `${alias}.test`,
  kind: `${alias}.verdict`,
  signature: `${alias}.signature`,
  reason: `${alias}.reason`,
  attempt: `${alias}.attempt_id`,
  role: `${alias}.role`,
  machine: `(select p.machine from participant p where p.attempt_id = ${alias}.attempt_id and p.role = ${alias}.role)`,
  at: `${alias}.stored_at`,
  position: `${alias}.position`,
  isFailure: (kinds) => `${alias}.verdict <> 'pass' and ${alias}.verdict = any(${kinds}::text[])`,
  kinds: FAILURE_VERDICTS,
  as: resultsAs,
});

const attemptsAs = (alias: string): FailureSource => ({
  rows: `attempt ${alias}`,
  key: `failure_key(${alias}.failure ->> 'class', ${alias}.failure ->> 'signature', ${alias}.failure ->> 'message')`,
  suite: `'${ATTEMPT_SUITE}'::text`,
  test: `coalesce(${alias}.failure ->> 'stage', '')`,
  kind: `${alias}.failure ->> 'class'`,
  signature: `${alias}.failure ->> 'signature'`,
  reason: `${alias}.failure ->> 'message'`,
  attempt: `${alias}.id`,
  role: `${alias}.failure ->> 'role'`,
  machine: `(select p.machine from participant p where p.attempt_id = ${alias}.id
    order by p.role <> coalesce(${alias}.failure ->> 'role', p.role), p.position limit 1)`,
  at: `coalesce(${alias}.ended_at, ${alias}.started_at)`,
  position: `${alias}.number`,
  isFailure: (kinds) => `${alias}.failure is not null and ${alias}.failure ->> 'class' = any(${kinds}::text[])`,
  kinds: FAILURE_CLASSES,
  as: attemptsAs,
});

/** Failed results of tests. */
export const RESULTS = resultsAs('s');
/** Attempts that failed themselves: their kernel did not build or boot, or the lab failed. */
export const ATTEMPTS = attemptsAs('s');

/** A failure in the words of the tables. */
export interface NamedFailure {
  source: FailureSource;
  /** Null = the only failure that the attempt has. */
  suite: string | null;
  test: string | null;
}

/** Throws a 422 problem when only one of suite and test is given. */
export function subjectOf({ suite, test }: FailureSubject): NamedFailure {
  if ((suite === undefined) !== (test === undefined)) {
    const path = suite === undefined ? 'suite' : 'test';
    const message = 'suite and test are given together, or neither for the failure of the attempt';
    throw new ProblemError(422, 'incomplete-subject', 'a failure needs both suite and test', {
      detail: message,
      errors: [{ path, message }],
    });
  }
  return { source: suite === undefined ? ATTEMPTS : RESULTS, suite: suite ?? null, test: test ?? null };
}

/** Condition: `s` is the failure of attempt $1 in the test $2, $3, or (null) of the attempt itself. $4 = source.kinds */
export const isSubject = ({ attempt, suite, test, isFailure }: FailureSource): string =>
  `${attempt} = $1 and ($2::text is null or ${suite} = $2) and ($3::text is null or ${test} = $3) and ${isFailure('$4')}`;

export const noFailure = ({ suite, test }: NamedFailure, attempt: string): ProblemError =>
  suite === null ? notFound('failed attempt', attempt) : notFound('failed result', `${suite}/${test}`);

/** A mark as JSON, its times as texts. */
export interface KnownJson {
  id: string;
  reason: string;
  by: string;
  at: string;
  until: string;
  ended_by: string | null;
  ended_at: string | null;
  /** Of a baseline: version of its base. */
  base: string | null;
}

/**
 * A subquery for the mark of a failure as KnownJson: one that stands before one that ended, the newest of those. All
 * parts are SQL. @param of.base digest of the base of the kernel that failed; null where it is not known
 */
export const knownSql = (of: { suite: string; test: string; failure: string; base: string }): string => `
  (select to_jsonb(known) from (
     select k.id, k.reason, k.by, k.at, k.until, k.ended_by, k.ended_at, null::text as base from known_failure k
     where k.suite = ${of.suite} and k.test = ${of.test} and k.failure = ${of.failure}
     union all
     select l.id, l.reason, l.by, l.at, l.until, l.ended_by, l.ended_at, l.base_version from baseline l
       join baseline_failure f on f.baseline_id = l.id
     where l.suite = ${of.suite} and l.base = ${of.base} and f.test = ${of.test} and f.failure = ${of.failure}
   ) known order by (ended_at is null and until > clock_timestamp()) desc, at desc limit 1)`;

/** Digest of the base of a kernel, with `bundle u`. */
export const BASE_KEY = `u.manifest -> 'base' ->> 'sha256'`;

export function knownView({ id, reason, by, at, until, ended_by, ended_at, base }: KnownJson): KnownFailure {
  const time = (text: string): string => new Date(text).toISOString();
  return {
    id,
    reason,
    by,
    at: time(at),
    until: time(until),
    ended: ended_by === null || ended_at === null ? null : { by: ended_by, at: time(ended_at) },
    base,
  };
}
