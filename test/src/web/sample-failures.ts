import { randomUUID } from 'node:crypto';
import {
  NewKnownFailure,
  VERDICT_TABLE,
  verdictOfFailure,
  type AttemptDetail,
  type FailureMemory,
  type FailureSighting,
  type KnownFailure,
  type ResultView,
  type RouteName,
  type RunFailure,
  type RunFailures,
} from '@peerlab/contracts';
import { Refusal } from './sample-refusal.js';

const ago = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString();

/** The memory of failures of the sample farm: those of `fail` were seen before, all others are new. */
export class SampleFailures {
  /** By suite and test. */
  private readonly marks = new Map<string, KnownFailure>();

  constructor(private readonly attempts: ReadonlyMap<string, AttemptDetail>) {}

  answer(name: RouteName, params: Record<string, string>, query: Record<string, string>, body: unknown): unknown {
    switch (name) {
      case 'listRunFailures':
        return this.ofRun(params['run'] ?? '', query['attempt']);
      case 'markKnownFailure': {
        const { suite = '', test = '', reason, until } = NewKnownFailure.parse(body);
        const known = {
          id: randomUUID(),
          reason,
          until,
          by: 'admin',
          at: new Date().toISOString(),
          ended: null,
          base: null,
        };
        this.marks.set(`${suite}/${test}`, known);
        return this.memory(params['attempt'] ?? '', suite, test);
      }
      case 'endKnownFailure': {
        const [key, known] = [...this.marks].find(([, { id }]) => id === params['known']) ?? [];
        if (key === undefined || known === undefined) throw new Refusal(404, 'not-found', 'there is no such mark');
        this.marks.set(key, { ...known, ended: { by: 'admin', at: new Date().toISOString() } });
        return { ended: true };
      }
      default:
        return this.memory(params['attempt'] ?? '', query['suite'] ?? '', query['test'] ?? '');
    }
  }

  private ofRun(run: string, attempt: string | undefined): RunFailures {
    const failures = [...this.attempts.values()]
      .filter(({ id, run: { id: runId } }) => runId === run && (attempt === undefined || id === attempt))
      .flatMap(({ id, machine, build, results, failure }) => [
        ...(failure === null ? [] : [this.ownFailure(id, machine, build, failure)]),
        ...results.filter(isFailure).map((result) => ({
          attemptId: id,
          machine,
          build,
          suite: result.suite,
          test: result.test,
          failure: null,
          verdict: result.verdict,
          key: result.verdict,
          what: result.signature ?? result.reason,
          earlier: earlierOf(result),
          firstAt: ago(earlierOf(result) * 7),
          known: this.marks.get(`${result.suite}/${result.test}`) ?? null,
        })),
      ]);
    return { failures, total: failures.length };
  }

  /** What broke off an attempt, which was seen before. */
  private ownFailure(
    attemptId: string,
    machine: string | null,
    build: string,
    failure: NonNullable<AttemptDetail['failure']>,
  ): RunFailure {
    return {
      attemptId,
      machine,
      build,
      suite: null,
      test: null,
      failure: { class: failure.class, stage: failure.stage },
      verdict: verdictOfFailure(failure.class),
      key: failure.class,
      what: failure.signature ?? failure.message,
      earlier: OWN_EARLIER,
      firstAt: ago(OWN_EARLIER * 7),
      known: this.marks.get('/') ?? null,
    };
  }

  private memory(attemptId: string, suite: string, test: string): FailureMemory {
    const attempt = this.attempts.get(attemptId);
    if (suite === '' && attempt?.failure != null) return this.ownMemory(attempt, attempt.failure);
    const result = attempt?.results.find((each) => each.suite === suite && each.test === test);
    if (attempt === undefined || result === undefined || !isFailure(result)) {
      throw new Refusal(404, 'not-found', `there is no failed result ${suite}/${test}`);
    }
    return this.remembered(attempt, earlierOf(result), {
      suite,
      test,
      failure: null,
      verdict: result.verdict,
      what: result.signature ?? result.reason,
      known: this.marks.get(`${suite}/${test}`) ?? null,
    });
  }

  private ownMemory(attempt: AttemptDetail, failure: NonNullable<AttemptDetail['failure']>): FailureMemory {
    const { suite, test, verdict, what, known } = this.ownFailure(attempt.id, attempt.machine, attempt.build, failure);
    const { class: kind, stage } = failure;
    return this.remembered(attempt, OWN_EARLIER, {
      suite,
      test,
      failure: { class: kind, stage },
      verdict,
      what,
      known,
    });
  }

  private remembered(
    { id: attemptId, machine, build, buildId, run, combination }: AttemptDetail,
    earlier: number,
    failed: Pick<FailureMemory, 'suite' | 'test' | 'failure' | 'verdict' | 'what' | 'known'>,
  ): FailureMemory {
    const sighting = (days: number): FailureSighting => ({ at: ago(days), attemptId, machine, build, run });
    return {
      ...failed,
      count: earlier + 1,
      earlier,
      first: sighting(earlier * 7),
      last: sighting(0),
      before: earlier === 0 ? null : sighting(7),
      combinations: [{ combination, count: earlier + 1 }],
      combinationCount: 1,
      kernels: [
        { build: { id: buildId, name: build }, release: '7.3.4', buildId: 'c0ffee1234aa55bb66cc', count: earlier + 1 },
      ],
      kernelCount: 1,
      otherTests: 0,
    };
  }
}

/** How often every failure of an attempt was seen before. */
const OWN_EARLIER = 2;
const isFailure = ({ verdict }: ResultView): boolean => VERDICT_TABLE[verdict].wrong;
const earlierOf = ({ verdict }: ResultView): number => (verdict === 'fail' ? 3 : 0);
