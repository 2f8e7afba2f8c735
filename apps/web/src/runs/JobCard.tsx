import { Link } from '@tanstack/react-router';
import { aboutText, bootText, buildEstimateText, pairText, type JobView } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { PathChip, StateBadge, VerdictMark } from '../ui/verdict.js';
import { waitingText } from './waiting-text.js';
import { AttemptBox } from './AttemptBox.js';
import { RetryJob } from './RetryJob.js';

/** One job of a run: what it builds or where it tests, why it waits, and its attempts, newest first. */
export function JobCard({ job }: { job: JobView }): ReactNode {
  const attempts = [...job.attempts].sort((a, b) => b.number - a.number);
  return (
    <article
      className="card job"
      aria-label={`${job.kind} ${job.build}${job.machine === null ? '' : ` on ${job.machine}`}${job.boot === null ? '' : `, ${bootText(job.boot)}`}`}
    >
      <header className="row">
        <h3>
          {job.kind === 'build' ? (
            <>
              Build{' '}
              <Link to="/builds/$build" params={{ build: job.buildId }}>
                {job.build}
              </Link>
            </>
          ) : (
            <>
              {job.machine === null ? (
                'Any machine'
              ) : (
                <Link to="/machines/$machine" params={{ machine: job.machine }}>
                  {job.machine}
                </Link>
              )}
              <span className="muted"> · </span>
              <Link to="/builds/$build" params={{ build: job.buildId }}>
                {job.build}
              </Link>
            </>
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
