import { Injectable } from '@nestjs/common';
import {
  judge,
  REASON_MAX,
  SOLE_ROLE,
  verdictOfFailure,
  worstVerdict,
  type LeftFile,
  type Metric,
  type ExpectedPath,
  type PathPrediction,
  type TestResult,
  type Verdict,
} from '@peerlab/contracts';
import type { StoredFailure } from '../schema/attempts.js';
import { PlannedTest, Result } from '../schema/results.js';
import { columnsOf, pick } from '../platform/database/row-shape.js';
import { jsonb, storable } from '../platform/database/storable.js';
import type { SuiteOutline } from '../attempts/participant-store.js';
import type { Queries } from '../platform/database/sql.js';
import { withPrediction } from '../attempts/path-predictions.js';
import { boundedSample, quartiles } from './statistics.js';
import { removePacked, requestPacking } from './packed-store.js';
import { expectedTests, suitePosition, verdictOfUnreached, WHOLE_SUITE, type ExpectedTest } from './unreached.js';

const PLANNED = pick(columnsOf(PlannedTest), 'suite', 'test', 'position');
const SEEN = pick(columnsOf(Result), 'suite', 'test', 'verdict');

/** Files of one attempt: those of some suites. */
const ATTEMPT_FILES_MAX = 1000;

/** What the results of a participant are judged by. */
export interface TestContext {
  attemptId: string;
  /** Of the participant that reports them. */
  role: string;
  expected: ExpectedPath;
  /** As it is stored with a proof; null = the path of the combination is expected. */
  prediction: PathPrediction | null;
  /** Suites of the bundle, in order. */
  suites: readonly SuiteOutline[];
  /** Suites that the run asks for. */
  wanted: readonly string[];
}

/** Writes what a participant reports. Every method runs in the transaction that counts the event. */
@Injectable()
export class ResultStore {
  async putPlan(tx: Queries, context: TestContext, suite: string, tests: readonly string[]): Promise<void> {
    const first = suitePosition(context.suites, suite, '');
    await tx.run(
      `insert into planned_test (attempt_id, role, suite, test, position)
       select $1::uuid, $5::text, $2::text, test, $4::int + (row_number() over (order by place))::int - 1
       from unnest($3::text[]) with ordinality as t(test, place)
       on conflict (attempt_id, role, suite, test) do nothing`,
      [context.attemptId, storable(suite), storable([...tests]), first, context.role],
    );
  }

  /** Judges a result and stores both; a second result of the same test replaces the first. */
  async putResult(tx: Queries, context: TestContext, result: TestResult): Promise<Verdict> {
    const judged = judge(result, context.expected);
    await putJudged(tx, context, result, judged, 'excluded.verdict');
    return judged.verdict;
  }

  /**
   * Stores a result that came after its attempt was revoked, under the verdict that the attempt's end gave to the
   * test: verdicts that are decided never change.
   */
  async putLateResult(
    tx: Queries,
    context: TestContext,
    result: TestResult,
    failure: StoredFailure | null,
  ): Promise<void> {
    const { verdict, reason } = verdictOfUnreached(failure);
    const seen = `${result.status}${result.reason === null ? '' : `: ${result.reason}`}`;
    const late = { verdict, reason: `${reason} (came after that: ${seen})` };
    await putJudged(tx, context, result, late, 'result.verdict');
    await requestPacking(tx, context.attemptId);
  }

  async putMeasurement(
    tx: Queries,
    { attemptId, role }: TestContext,
    seq: number,
    measurement: { suite: string; test: string; metric: Metric },
  ): Promise<void> {
    const { suite, test, metric } = measurement;
    const samples = metric.samples.map(boundedSample);
    const { lowerQuartile, median, upperQuartile } = quartiles(samples);
    await tx.run(
      `insert into measurement (attempt_id, role, seq, suite, test, name, unit, better, samples, params, lower_quartile,
                                median, upper_quartile) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
      [
        attemptId,
        role,
        seq,
        storable(suite),
        storable(test),
        storable(metric.name),
        storable(metric.unit),
        metric.better,
        samples,
        jsonb(metric.params),
        lowerQuartile,
        median,
        upperQuartile,
      ],
    );
  }

  /** Notes a file that a suite left and that the agent has uploaded; a file that is not stored is not noted. */
  async putFile(
    tx: Queries,
    { attempt_id: attemptId, role }: { attempt_id: string; role: string },
    { suite, name, sha256, sizeBytes }: LeftFile,
  ): Promise<void> {
    await tx.run(
      `insert into attempt_file (attempt_id, role, suite, name, sha256, size_bytes)
       select $1::uuid, $7::text, $2::text, $3::text, a.sha256, a.size_bytes from artifact a
       where a.sha256 = $4 and a.removed_at is null and a.size_bytes = $5::bigint
         and (select count(*) from attempt_file where attempt_id = $1::uuid) < $6::int
       on conflict (attempt_id, role, suite, name) do update set sha256 = excluded.sha256, size_bytes = excluded.size_bytes`,
      [attemptId, storable(suite), storable(name), sha256, sizeBytes, ATTEMPT_FILES_MAX, role],
    );
  }

  /** Removes all results of attempts. */
  async remove(tx: Queries, attemptIds: readonly string[]): Promise<void> {
    await removePacked(tx, attemptIds);
    await tx.run('delete from planned_test where attempt_id = any($1)', [attemptIds]);
    await tx.run('delete from result where attempt_id = any($1)', [attemptIds]);
    await tx.run('delete from measurement where attempt_id = any($1)', [attemptIds]);
    await tx.run('delete from attempt_file where attempt_id = any($1)', [attemptIds]);
  }

  /**
   * Ends the results of a participant: every expected test without one gets its row. Returns their verdict.
   * @param failure of the attempt
   * @param failedPeer the same where another participant failed: what failed here since is no finding
   */
  async settle(
    tx: Queries,
    context: TestContext,
    failure: StoredFailure | null,
    failedPeer: StoredFailure | null,
  ): Promise<Verdict> {
    const { attemptId, role } = context;
    if (failedPeer !== null) await blamePeer(tx, context, failedPeer);
    const planned = await tx.rows(
      PLANNED,
      'select suite, test, position from planned_test where attempt_id = $1 and role = $2 order by position',
      [attemptId, role],
    );
    const seen = await tx.rows(SEEN, 'select suite, test, verdict from result where attempt_id = $1 and role = $2', [
      attemptId,
      role,
    ]);
    const have = new Set(seen.map(({ suite, test }) => `${suite}\n${test}`));
    const suitesSeen = new Set(seen.map(({ suite }) => suite));
    const { verdict, reason } = verdictOfUnreached(failure);
    const missing = expectedTests(context.wanted, context.suites, planned).filter(
      // The row for a whole suite is not missing once any of its tests has a result.
      ({ suite, test }) => !have.has(`${suite}\n${test}`) && !(test === WHOLE_SUITE && suitesSeen.has(suite)),
    );
    const verdicts = seen.map((result) => result.verdict);
    for (const test of missing) {
      const lacking = whySuiteLacks(context, test.suite);
      const judged = lacking === null ? { verdict, reason } : { verdict: 'no-result' as const, reason: lacking };
      await putUnreached(tx, context, test, judged);
      verdicts.push(judged.verdict);
    }
    await requestPacking(tx, attemptId);
    if (failure !== null) verdicts.push(verdictOfFailure(failure.class));
    return worstVerdict(verdicts) ?? 'not-reached';
  }
}

async function putJudged(
  tx: Queries,
  context: TestContext,
  result: TestResult,
  { verdict, reason }: { verdict: Verdict; reason: string | null },
  /** Which verdict stays when the test has a result already: the new or the old one. */
  staying: 'excluded.verdict' | 'result.verdict',
): Promise<void> {
  const first = suitePosition(context.suites, result.suite, result.test);
  await tx.run(
    `insert into result (attempt_id, role, suite, test, position, status, verdict, reason, duration_ms, proof, warnings,
                         signature, log)
     values ($1, $13, $2, $3,
       coalesce((select position from planned_test where attempt_id = $1 and role = $13 and suite = $2 and test = $3),
         $4::int + (select count(*) from result where attempt_id = $1 and role = $13 and suite = $2)::int),
       $5, $6, $7, $8, $9, $10, $11, $12)
     on conflict (attempt_id, role, suite, test) do update set status = excluded.status, verdict = ${staying},
       reason = excluded.reason, duration_ms = excluded.duration_ms, proof = excluded.proof,
       warnings = excluded.warnings, signature = excluded.signature, log = excluded.log,
       stored_at = clock_timestamp()`,
    [
      context.attemptId,
      storable(result.suite),
      storable(result.test),
      first,
      result.status,
      verdict,
      storable(reason),
      result.durationMs,
      jsonb(withPrediction(result.proof, context.prediction)),
      storable(result.warnings),
      storable(result.signature),
      jsonb(evidenceOf(result, context.role)),
      context.role,
    ],
  );
}

/** Says in whose log the lines are, where that is not the only one. */
function evidenceOf({ log }: TestResult, role: string): Result['log'] {
  return log === null || role === SOLE_ROLE ? log : { ...log, role };
}

/**
 * A test that failed on one side while another side crashed or was lost says nothing about the kernel of its own side.
 * When the other side was lost is known too late and too roughly to tell which tests failed before: none of them counts.
 */
async function blamePeer(tx: Queries, { attemptId, role }: TestContext, peer: StoredFailure): Promise<void> {
  await tx.run(
    `update result set verdict = 'infra', reason = left($3 || coalesce('; this side said: ' || reason, ''), $4)
     where attempt_id = $1 and role = $2 and verdict = 'fail'`,
    [attemptId, role, storable(`participant ${peer.role ?? ''} failed: ${peer.message}`), REASON_MAX],
  );
}

/** Why a suite could not run; null when the bundle has it. Nothing failed, and nothing was tested. */
function whySuiteLacks(context: TestContext, suite: string): string | null {
  if (context.suites.some(({ name }) => name === suite)) return null;
  return `the bundle has no suite "${suite}"; it has ${context.suites.map(({ name }) => name).join(', ') || 'none'}`;
}

async function putUnreached(
  tx: Queries,
  { attemptId, role }: TestContext,
  { suite, test, position }: ExpectedTest,
  { verdict, reason }: { verdict: Verdict; reason: string },
): Promise<void> {
  await tx.run(
    `insert into result (attempt_id, role, suite, test, position, status, verdict, reason, warnings)
     values ($1, $2, $3, $4, $5, $6, $7, $8, '{}') on conflict do nothing`,
    [
      attemptId,
      role,
      suite,
      test,
      position,
      verdict === 'no-result' ? verdict : 'not-reached',
      verdict,
      storable(reason),
    ],
  );
}
