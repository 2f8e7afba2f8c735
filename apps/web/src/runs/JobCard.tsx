import { Link } from '@tanstack/react-router';
import {
  aboutText,
  bootText,
  buildEstimateText,
  kernelText,
  pairText,
  sidesOfJob,
  sidesText,
  type JobView,
} from '@peerlab/contracts';
import { Fragment, type ReactNode } from 'react';
import { PathChip, StateBadge, VerdictMark } from '../ui/verdict.js';
import { waitingText } from './waiting-text.js';
import { AttemptBox } from './AttemptBox.js';
import { RetryJob } from './RetryJob.js';

/** One job of a run: what it builds or where it tests, why it waits, and its attempts, newest first. */
export function JobCard({ job }: { job: JobView }): ReactNode {
  const attempts = [...job.attempts].sort((a, b) => b.number - a.number);
  const sides = sidesOfJob(job);
  const place =
    sides === null ? `${kernelText(job)}${job.machine === null ? '' : ` on ${job.machine}`}` : sidesText(sides);
  return (
    <article
      className="card job"
      aria-label={`${job.kind} ${place}${job.boot === null ? '' : `, ${bootText(job.boot)}`}`}
    >
      <header className="row">
        <h3>
          {job.kind === 'build' ? (
            <>
              Build{' '}
              <Link to="/builds/$build" params={{ build: job.buildId }}>
                {kernelText(job)}
              </Link>
            </>
          ) : (
            <TestedOn job={job} />
          )}
        </h3>
        {job.boot !== null && <span className="muted">{bootText(job.boot)}</span>}
        {job.combination !== null && <PathChip kind={job.combination.identity.pathKind} />}
        <span className="push row">
          {job.state === 'ended' && <RetryJob job={job} />}
          {job.verdict !== null && <VerdictMark verdict={job.verdict} long />}
          {(job.state !== 'ended' || job.verdict === null) && <StateBadge state={job.state} />}
        </span>
      </header>
      {job.combination !== null && (
        <p className="muted">
          {job.combination.label}
          {job.pair !== null && ` · ${pairText(job.pair)}`}
        </p>
      )}
      {job.waiting !== null && (
        <p className="notice notice-quiet">
          <span aria-hidden="true">◔</span> {waitingText(job.waiting)}
        </p>
      )}
      {job.state !== 'ended' && job.estimate !== null && <p className="muted">{buildEstimateText(job.estimate)}</p>}
      {job.state === 'running' && job.endsInMs !== null && (
        <p className="muted">expected to end in {aboutText(job.endsInMs)}</p>
      )}
      {attempts.map((attempt) => (
        <AttemptBox key={attempt.id} attempt={attempt} kind={job.kind} />
      ))}
    </article>
  );
}

/** Machine and build of a job; where several machines carry it out, the build and the machine of each role. */
function TestedOn({ job }: { job: JobView }): ReactNode {
  const sides = sidesOfJob(job);
  if (sides === null)
    return (
      <>
        {job.machine === null ? 'Any machine' : <MachineLink machine={job.machine} />}
        <span className="muted"> · </span>
        <Link to="/builds/$build" params={{ build: job.buildId }}>
          {job.build}
        </Link>
      </>
    );
  return sides.map(({ role, build, machine }, index) => (
    <Fragment key={role}>
      {index > 0 && <span className="muted"> · </span>}
      <span className="muted">{role}</span> {build}
      {machine !== null && (
        <>
          {' '}
          <span className="muted">on</span> <MachineLink machine={machine} />
        </>
      )}
    </Fragment>
  ));
}

function MachineLink({ machine }: { machine: string }): ReactNode {
  return (
    <Link to="/machines/$machine" params={{ machine }}>
      {machine}
    </Link>
  );
}
