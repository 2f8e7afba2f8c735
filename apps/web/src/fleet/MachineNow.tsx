import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { SOLE_ROLE, type MachineAttempt, type ParticipantSummary } from '@peerlab/contracts';
import { useEffect, useSyncExternalStore, type ReactNode } from 'react';
import { attemptQuery } from '../api/attempts.js';
import { machineAttemptsQuery } from '../api/fleet.js';
import { useTopics } from '../api/live-context.js';
import { useLogStore } from '../logs/use-log-store.js';
import { StageStrip } from '../runs/StageStrip.js';
import { ErrorNotice } from '../ui/section.js';
import { Ago, Elapsed, titleText } from '../ui/time.js';
import { LADDER_LINES, ladderSteps } from './ladder-steps.js';

/** Steps that are shown. */
const STEPS_SHOWN = 6;

/** Where the machine is: the stage of the attempt that runs on it, or ran last, and the last steps of its boots. */
export function MachineNow({ machine }: { machine: string }): ReactNode {
  const { data } = useQuery(machineAttemptsQuery(machine));
  const newest = data?.[0];
  // Before the first attempt the end of the page says so.
  return newest === undefined ? null : <NewestAttempt key={newest.id} machine={machine} attempt={newest} />;
}

function NewestAttempt({ machine, attempt }: { machine: string; attempt: MachineAttempt }): ReactNode {
  useTopics(`run:${attempt.run.id}`);
  const { data } = useQuery(attemptQuery(attempt.id));
  const own = data?.participants.find((each) => each.machine === machine);
  const isOver = attempt.state === 'ended';
  return (
    <section aria-labelledby="now-head">
      <h2 id="now-head">Where it is</h2>
      <p>
        {isOver ? <>No attempt runs on it; the last one was </> : <Standing participant={own} />}
        <Link to="/attempts/$attempt" params={{ attempt: attempt.id }}>
          attempt {attempt.number}
        </Link>{' '}
        of{' '}
        <Link to="/runs/$run" params={{ run: attempt.run.id }}>
          {attempt.run.name}
        </Link>
        , build {attempt.build}
        {isOver && (
          <>
            , ended <Ago at={attempt.endedAt} />
          </>
        )}
      </p>
      {own !== undefined && <StageStrip kind="test" stages={own.stages} failure={own.failure} ended={isOver} />}
      <Steps attempt={attempt} hasEnded={isOver} />
    </section>
  );
}

/** The stage that runs now, and since when. */
function Standing({ participant }: { participant: ParticipantSummary | undefined }): ReactNode {
  const stage = participant?.stages.findLast(({ status }) => status === 'started');
  if (stage !== undefined) {
    return (
      <>
        In stage <strong>{stage.stage}</strong> for <Elapsed from={stage.startedAt} to={null} />:{' '}
      </>
    );
  }
  return participant?.state === 'assigned' ? <>Its agent has not begun yet: </> : <>Between two stages: </>;
}

/** What the agent noted last of booting, restoring and switching power, as it arrives. */
function Steps({ attempt, hasEnded }: { attempt: MachineAttempt; hasEnded: boolean }): ReactNode {
  const role = attempt.role === SOLE_ROLE ? undefined : attempt.role;
  const store = useLogStore(attempt.id, 'agent', 0, hasEnded, role);
  const version = useSyncExternalStore(store.subscribe, store.version);
  const total = store.total();
  const from = Math.max(0, total - LADDER_LINES);
  useEffect(() => {
    if (version > 0 && total > from) store.ensure(from, total - 1);
  }, [store, version, from, total]);
  const error = store.error();
  if (error !== null) return <ErrorNotice error={error} retry={store.refresh} />;
  const lines = Array.from({ length: total - from }, (_, place) => store.line(from + place));
  const steps = ladderSteps(lines, STEPS_SHOWN);
  if (steps.length === 0) return null;
  return (
    <ol className="ladder" aria-label="Last steps of booting, restoring and power">
      {steps.map(({ seq, at, text }) => (
        <li key={seq}>
          <Link
            to="/attempts/$attempt"
            params={{ attempt: attempt.id }}
            search={{ view: 'log', stream: 'agent', line: seq + 1, ...(role === undefined ? {} : { role }) }}
          >
            <StepTime at={at} />
          </Link>{' '}
          {text}
        </li>
      ))}
    </ol>
  );
}

/** @param at milliseconds since 1970, by the agent's clock */
function StepTime({ at }: { at: number }): ReactNode {
  const iso = new Date(at).toISOString();
  return (
    <time dateTime={iso} title={titleText(iso)} className="number">
      {new Date(at).toLocaleTimeString()}
    </time>
  );
}
