import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import {
  isKnownNow,
  type FailureMemory as Memory,
  type FailureSighting,
  type FailureSubject,
} from '@peerlab/contracts';
import { useState, type ReactNode } from 'react';
import { useTopics } from '../api/live-context.js';
import { failureApi, failureQuery } from '../api/failures.js';
import { shortBuildId } from '../runs/evidence.js';
import { countOf, countText } from '../ui/numbers.js';
import { QuerySection, WriteError } from '../ui/section.js';
import { Ago, useNow } from '../ui/time.js';
import { failedText } from './failed-text.js';
import { KnownMark } from './KnownMark.js';
import { MarkDialog } from './MarkDialog.js';

/** Whether this failure of a test, or of the attempt itself (an empty subject), was seen before: when, how often, where, on which kernels; and whether people know it. */
export function FailureMemory({ attempt, subject }: { attempt: string; subject: FailureSubject }): ReactNode {
  useTopics('grid');
  const query = useQuery(failureQuery(attempt, subject));
  return (
    <section className="failure-memory" aria-label="The same failure before">
      <QuerySection query={query} what="the memory of this failure">
        {(memory) => <Remembered memory={memory} attempt={attempt} subject={subject} />}
      </QuerySection>
    </section>
  );
}

interface RememberedProps {
  memory: Memory;
  attempt: string;
  subject: FailureSubject;
}

function Remembered({ memory, attempt, subject }: RememberedProps): ReactNode {
  const { before, earlier, count, first, last } = memory;
  return (
    <>
      <h3>{before === null ? 'New: not seen before this run' : `Seen ${countOf(earlier, 'time')} before this run`}</h3>
      <KnownLine memory={memory} attempt={attempt} subject={subject} />
      <dl className="facts">
        {before !== null && (
          <>
            <dt>Before</dt>
            <dd>
              <Sighting at={before} />
            </dd>
          </>
        )}
        {count > 1 && (
          <>
            <dt>First</dt>
            <dd>
              <Sighting at={first} />
            </dd>
            <dt>Last</dt>
            <dd>
              <Sighting at={last} />
            </dd>
            <dt>In all</dt>
            <dd>{countOf(count, memory.suite === null ? 'attempt' : 'result')}</dd>
          </>
        )}
        <dt>On</dt>
        <dd>
          {memory.combinations.map(({ combination, count: times }) => (
            <div key={combination?.hash ?? ''}>
              {combination?.label ?? (memory.suite === null ? 'a build, on no machine' : 'no combination')}{' '}
              <span className="muted">× {countText(times)}</span>
            </div>
          ))}
          <More shown={memory.combinations.length} all={memory.combinationCount} of="combination" />
        </dd>
        <dt>{memory.failure?.class === 'build' ? 'Builds' : 'Kernels'}</dt>
        <dd>
          {memory.kernels.map(({ build, release, buildId, count: times }) => (
            <div key={build.id}>
              <Link to="/builds/$build" params={{ build: build.id }}>
                {build.name}
              </Link>{' '}
              {release !== null && <span className="muted">{release} </span>}
              {buildId !== null && <code title={`build-id ${buildId}`}>{shortBuildId(buildId)}</code>}{' '}
              <span className="muted">× {countText(times)}</span>
            </div>
          ))}
          <More shown={memory.kernels.length} all={memory.kernelCount} of="kernel" />
        </dd>
        {memory.otherTests > 0 && (
          <>
            <dt>Other tests</dt>
            <dd>{countOf(memory.otherTests, 'other test fails', 'other tests fail')} with this signature</dd>
          </>
        )}
      </dl>
    </>
  );
}

function Sighting({ at }: { at: FailureSighting }): ReactNode {
  return (
    <>
      <Link to="/attempts/$attempt" params={{ attempt: at.attemptId }}>
        <Ago at={at.at} />
      </Link>{' '}
      in{' '}
      <Link to="/runs/$run" params={{ run: at.run.id }}>
        {at.run.name}
      </Link>{' '}
      <span className="muted">
        {at.build}
        {at.machine !== null && ` on ${at.machine}`}
      </span>
    </>
  );
}

function More({ shown, all, of }: { shown: number; all: number; of: string }): ReactNode {
  return all > shown ? <div className="muted">and {countOf(all - shown, `more ${of}`)}</div> : null;
}

function KnownLine({ memory, attempt, subject }: RememberedProps): ReactNode {
  const queries = useQueryClient();
  const [isAsking, setAsking] = useState(false);
  const { known } = memory;
  const isKnown = isKnownNow(known, useNow());
  const refresh = () =>
    Promise.all([
      queries.invalidateQueries({ queryKey: ['failure'] }),
      queries.invalidateQueries({ queryKey: ['run-failures'] }),
    ]);
  const mark = useMutation({
    mutationFn: (body: { reason: string; until: string }) =>
      failureApi.call('markKnownFailure', { params: { attempt }, body: { ...subject, ...body } }),
    onSuccess: refresh,
  });
  const end = useMutation({
    mutationFn: (id: string) => failureApi.call('endKnownFailure', { params: { known: id } }),
    onSuccess: refresh,
  });
  const isBusy = mark.isPending || end.isPending;
  return (
    <>
      {known !== null && !isKnown && (
        <p className="muted">
          Was known: {known.reason} (by {known.by};{' '}
          {known.ended === null ? (
            <>
              ran out <Ago at={known.until} />
            </>
          ) : (
            <>
              withdrawn by {known.ended.by} <Ago at={known.ended.at} />
            </>
          )}
          )
        </p>
      )}
      {known !== null && isKnown ? (
        <p className="row">
          <KnownMark known={known} />
          <span className="muted">
            by {known.by} <Ago at={known.at} />
          </span>
          <button type="button" disabled={isBusy} onClick={() => end.mutate(known.id)}>
            Withdraw
          </button>
        </p>
      ) : (
        <p>
          <button type="button" disabled={isBusy} onClick={() => setAsking(true)}>
            Mark as known
          </button>
        </p>
      )}
      <WriteError error={mark.error ?? end.error} />
      {isAsking && (
        <MarkDialog
          what={failedText(memory)}
          onClose={() => setAsking(false)}
          onConfirm={(given) => mark.mutate(given)}
        />
      )}
    </>
  );
}
