import { useQuery } from '@tanstack/react-query';
import { VERDICT_TABLE, type AttemptDetail, type ResultView } from '@peerlab/contracts';
import { useState, type ReactNode } from 'react';
import { runFailuresQuery } from '../api/queries.js';
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
  const [isOpen, setOpen] = useState(false);
  const { data } = useQuery({ ...runFailuresQuery(attempt.run.id, attempt.id), enabled: isFailure });
  if (!isFailure) return null;
  const { suite, test } = result;
  const failure = data?.failures.find((each) => each.suite === suite && each.test === test);
  return (
    <details className="seen-before" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        Seen before: {failure === undefined ? '…' : <SeenBefore failure={failure} />}{' '}
        <KnownMark known={failure?.known ?? null} />
      </summary>
      {isOpen && <FailureMemory attempt={attempt.id} suite={suite} test={test} />}
    </details>
  );
}
