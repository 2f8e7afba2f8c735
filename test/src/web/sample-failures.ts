import { randomUUID } from 'node:crypto';
import {
  NewKnownFailure,
  VERDICT_TABLE,
  type AttemptDetail,
  type FailureMemory,
  type FailureSighting,
  type KnownFailure,
  type ResultView,
  type RouteName,
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
        const { suite, test, reason, until } = NewKnownFailure.parse(body);
        const known = { id: randomUUID(), reason, until, by: 'admin', at: new Date().toISOString(), ended: null };
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
      .flatMap(({ id, machine, build, results }) =>
        results.filter(isFailure).map((result) => ({
          attemptId: id,
          machine,
          build,
          suite: result.suite,
          test: result.test,
          verdict: result.verdict,
          failure: result.verdict,
          what: result.signature ?? result.reason,
          earlier: earlierOf(result),
          firstAt: ago(earlierOf(result) * 7),
          known: this.marks.get(`${result.suite}/${result.test}`) ?? null,
        })),
      );
    return { failures, total: failures.length };
  }

  private memory(attemptId: string, suite: string, test: string): FailureMemory {
    const attempt = this.attempts.get(attemptId);
    const result = attempt?.results.find((each) => each.suite === suite && each.test === test);
    if (attempt === undefined || result === undefined || !isFailure(result)) {
      throw new Refusal(404, 'not-found', `there is no failed result ${suite}/${test}`);
    }
    const { machine, build, buildId, run, combination } = attempt;
    const earlier = earlierOf(result);
    const sighting = (days: number): FailureSighting => ({ at: ago(days), attemptId, machine, build, run });
    return {
      suite,
      test,
      verdict: result.verdict,
      what: result.signature ?? result.reason,
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
      known: this.marks.get(`${suite}/${test}`) ?? null,
    };
  }
}

const isFailure = ({ verdict }: ResultView): boolean => VERDICT_TABLE[verdict].wrong;
const earlierOf = ({ verdict }: ResultView): number => (verdict === 'fail' ? 3 : 0);
