import { useQuery } from '@tanstack/react-query';
import {
  FAILURE_POLICY,
  VERDICT_TABLE,
  type AttemptDetail,
  type FailureSubject,
  type ResultView,
  type RunFailure,
} from '@peerlab/contracts';
import { useState, type ReactNode } from 'react';
import { runFailuresQuery } from '../api/failures.js';
import { FailureMemory } from './FailureMemory.js';
import { KnownMark } from './KnownMark.js';
import { SeenBefore } from './RunFailures.js';

/** Below a failed result of an attempt: whether it was seen before, and on request where. Nothing for others. */
export function AttemptFailure({
  attempt,
  result,
}: {
  attempt: Pick<AttemptDetail, 'id' | 'run'>;
  result: ResultView;
}): ReactNode {
  const isFailure = VERDICT_TABLE[result.verdict].wrong;
  const { data } = useQuery({ ...runFailuresQuery(attempt.run.id, attempt.id), enabled: isFailure });
  if (!isFailure) return null;
  const { suite, test } = result;
  const failure = data?.failures.find((each) => each.suite === suite && each.test === test);
  return <SeenBeforeDetails attempt={attempt.id} subject={{ suite, test }} failure={failure} />;
}

/** The same for the failure of the attempt itself, such as a kernel that did not boot. Nothing for one that was canceled. */
export function OwnFailure({ attempt }: { attempt: Pick<AttemptDetail, 'id' | 'run' | 'failure'> }): ReactNode {
  const isFailure = attempt.failure !== null && FAILURE_POLICY[attempt.failure.class].tone === 'bad';
  const { data } = useQuery({ ...runFailuresQuery(attempt.run.id, attempt.id), enabled: isFailure });
  if (!isFailure) return null;
  const failure = data?.failures.find(({ suite }) => suite === null);
  return <SeenBeforeDetails attempt={attempt.id} subject={{}} failure={failure} />;
}

function SeenBeforeDetails({
  attempt,
  subject,
  failure,
}: {
  attempt: string;
  subject: FailureSubject;
  failure: RunFailure | undefined;
}): ReactNode {
  const [isOpen, setOpen] = useState(false);
  return (
    <details className="seen-before" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        Seen before: {failure === undefined ? '…' : <SeenBefore failure={failure} />}{' '}
        <KnownMark known={failure?.known ?? null} />
      </summary>
      {isOpen && <FailureMemory attempt={attempt} subject={subject} />}
    </details>
  );
}
