import { Link } from '@tanstack/react-router';
import { FAILURE_POLICY, type AttemptSummary } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { Elapsed } from '../ui/time.js';
import { StateBadge } from '../ui/verdict.js';
import { StageStrip } from './StageStrip.js';

/** One attempt of a job: its stages, its progress, and why it failed. */
export function AttemptBox({ attempt, kind }: { attempt: AttemptSummary; kind: 'build' | 'test' }): ReactNode {
  const link = { to: '/attempts/$attempt', params: { attempt: attempt.id } } as const;
  return (
    <div className="attempt">
      <p className="row">
        <Link {...link}>Attempt {attempt.number}</Link>
        {attempt.progress?.cached === true && <span className="chip">from the cache</span>}
        {attempt.state !== 'ended' && <StateBadge state={attempt.state} />}
        <span className="muted">
          by {attempt.agent}, <Elapsed from={attempt.startedAt} to={attempt.endedAt} />
        </span>
        <Link {...link} search={{ view: 'log' }} className="push">
          Log
        </Link>
      </p>
      <StageStrip kind={kind} stages={attempt.stages} failure={attempt.failure} ended={attempt.state === 'ended'} />
      {attempt.progress !== null && attempt.state !== 'ended' && <Progress {...attempt.progress} />}
      <FailureNotice attempt={attempt} />
    </div>
  );
}

function Progress({ percent, text }: { percent: number; text: string }): ReactNode {
  return (
    <p className="progress">
      <progress max={100} value={percent} aria-label="build progress" />
      <span className="number">{Math.round(percent)} %</span> <span className="muted ellipsis">{text}</span>
    </p>
  );
}

/** Whose failure it is: the role, its machine and its kernel. */
function whoseText({ participants }: AttemptSummary, role: string): string {
  const participant = participants.find((each) => each.role === role);
  const where = participant?.machine === undefined || participant.machine === null ? '' : ` on ${participant.machine}`;
  const kernel =
    participant?.build === undefined || participant.build === null ? '' : `, kernel ${participant.build.name}`;
  return ` of ${role}${where}${kernel}`;
}

/** Class, stage, message, crash signature and help of a failed attempt; nothing when it did not fail. */
export function FailureNotice({ attempt }: { attempt: AttemptSummary }): ReactNode {
  const { failure, restored } = attempt;
  return (
    <>
      {failure !== null && (
        <div className={`notice notice-${FAILURE_POLICY[failure.class].tone}`}>
          <p>
            <strong>{failure.class}</strong>
            {failure.stage !== null && ` in stage ${failure.stage}`}
            {failure.role !== undefined && whoseText(attempt, failure.role)}
          </p>
          <p className="reason">{failure.message}</p>
          {failure.signature !== null && (
            <p>
              Signature <code>{failure.signature}</code>
            </p>
          )}
          <p className="muted">{failure.help}</p>
        </div>
      )}
      {restored === false && (
        <p className="notice notice-warn">The machine did not return to its default kernel and was quarantined.</p>
      )}
    </>
  );
}
