import { AnyStage, FailureClass, Verdict, verdictOfFailure, type RunFailure } from '@peerlab/contracts';
import { ATTEMPT_SUITE } from './same-failure.js';

/** What failed, as the API names it. `kind`: the verdict of a result, or the class of an attempt. */
export function failedView({
  suite,
  test,
  kind,
}: {
  suite: string;
  test: string;
  kind: string;
}): Pick<RunFailure, 'suite' | 'test' | 'failure' | 'verdict'> {
  if (suite !== ATTEMPT_SUITE) return { suite, test, failure: null, verdict: Verdict.parse(kind) };
  const failure = { class: FailureClass.parse(kind), stage: AnyStage.nullable().parse(test === '' ? null : test) };
  return { suite: null, test: null, failure, verdict: verdictOfFailure(failure.class) };
}
