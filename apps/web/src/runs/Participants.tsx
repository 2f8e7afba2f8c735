import { Link } from '@tanstack/react-router';
import { FAILURE_POLICY, type AttemptDetail } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { Elapsed } from '../ui/time.js';
import { StateBadge } from '../ui/verdict.js';
import { clockText } from './clock-text.js';
import { StageStrip } from './StageStrip.js';

type Participant = AttemptDetail['participants'][number];

/** The machines of an attempt with several: what each did, ran and failed with. The one whose failure counts is marked. */
export function Participants({ attempt }: { attempt: AttemptDetail }): ReactNode {
  return (
    <section aria-labelledby="participants-head">
      <h2 id="participants-head">Machines</h2>
      {attempt.participants.map((participant) => (
        <ParticipantBox
          key={participant.role}
          participant={participant}
          attempt={attempt}
          isCause={attempt.failure?.role === participant.role}
        />
      ))}
    </section>
  );
}

function ParticipantBox({
  participant,
  attempt,
  isCause,
}: {
  participant: Participant;
  attempt: AttemptDetail;
  isCause: boolean;
}): ReactNode {
  const { role, machine, agent, state, stages, failure, restored, build, startedAt, endedAt, clock } = participant;
  const candidate = participant.kernels.findLast(({ phase }) => phase === 'candidate');
  return (
    <div className="attempt" role="group" aria-label={`participant ${role}`}>
      <p className="row">
        <strong>{role}</strong>
        {machine !== null && (
          <span>
            on{' '}
            <Link to="/machines/$machine" params={{ machine }}>
              {machine}
            </Link>
          </span>
        )}
        {build !== null && (
          <span>
            with{' '}
            <Link to="/builds/$build" params={{ build: build.id }}>
              {build.name}
            </Link>
          </span>
        )}
        {candidate !== undefined && <code>{candidate.release}</code>}
        {state !== 'ended' && <StateBadge state={state} />}
        {isCause && <span className="chip chip-warn">its failure is that of the attempt</span>}
        <span className="muted">
          by {agent}, <Elapsed from={startedAt} to={endedAt} />
          {clock !== null && `, ${clockText(clock)}`}
        </span>
        <Link
          to="/attempts/$attempt"
          params={{ attempt: attempt.id }}
          search={{ view: 'log', stream: 'serial', role }}
          className="push"
        >
          Console
        </Link>
      </p>
      <StageStrip kind={attempt.kind} stages={stages} failure={failure} ended={state === 'ended'} />
      {failure !== null && (
        <p className={`notice notice-${FAILURE_POLICY[failure.class].tone}`}>
          <strong>{failure.class}</strong>
          {failure.stage !== null && ` in stage ${failure.stage}`}: {failure.message}
        </p>
      )}
      {restored === false && (
        <p className="notice notice-warn">{machine} did not return to its default kernel and was quarantined.</p>
      )}
    </div>
  );
}
