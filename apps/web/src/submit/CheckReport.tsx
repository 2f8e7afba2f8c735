import {
  buildEstimateText,
  kernelText,
  machinesText,
  pairText,
  rolesText,
  seriesText,
  type ExpectedStart,
  type ProblemItem,
  type SubmissionReport,
} from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { Ago } from '../ui/time.js';
import { PathChip } from '../ui/verdict.js';
import { startSummary } from './start-summary.js';

/** Problems of a submission, each with a link to its line; or what it would run and where. */
export function CheckReport({
  report,
  isChecking,
  onJump,
}: {
  report: SubmissionReport | undefined;
  isChecking: boolean;
  onJump: (line: number, column: number) => void;
}): ReactNode {
  return (
    <div id="submit-problems" aria-live="polite" className={isChecking ? 'report report-old' : 'report'}>
      {report === undefined ? (
        <p className="muted">Checking…</p>
      ) : report.ok ? (
        <Plan report={report} />
      ) : (
        <ProblemList problems={report.problems} onJump={onJump} />
      )}
      {report !== undefined && report.unmatched.length > 0 && (
        <>
          <h3>Machines that do not match</h3>
          <ul className="unmatched">
            {report.unmatched.map(({ machine, why }) => (
              <li key={machine}>
                <strong>{machine}</strong> {why}
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}

function ProblemList({
  problems,
  onJump,
}: {
  problems: readonly ProblemItem[];
  onJump: (line: number, column: number) => void;
}): ReactNode {
  return (
    <>
      <h3>
        <span aria-hidden="true">✗</span> {problems.length === 1 ? 'One problem' : `${problems.length} problems`}
      </h3>
      <ul className="problems">
        {problems.map((problem, index) => (
          <li key={index}>
            <button
              type="button"
              disabled={problem.line === undefined}
              onClick={() => problem.line !== undefined && onJump(problem.line, problem.column ?? 1)}
            >
              {problem.line !== undefined && (
                <span className="problem-place">
                  line {problem.line}:{problem.column ?? 1}
                </span>
              )}
              <span>
                {problem.path !== '' && <code>{problem.path}</code>} {problem.message}
                {problem.remedy !== undefined && <span className="muted"> {problem.remedy}</span>}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

const START_ICONS: Record<ExpectedStart['when'], string> = { now: '▶', queue: '◔', build: '⚒', blocked: '○' };

function Plan({ report }: { report: SubmissionReport }): ReactNode {
  const sets = report.plan.filter(({ roles }) => roles.length > 0);
  const places = new Set(report.plan.map((job) => (job.roles.length > 0 ? rolesText(job.roles) : machinesText(job))));
  const isFree = report.plan.some((job) => [job, ...job.roles].some(({ machinesTotal }) => machinesTotal > 1));
  const jobs = report.plan.reduce((sum, { boots }) => sum + boots, 0);
  return (
    <>
      <h3>
        <span aria-hidden="true">✓</span> {jobs} {jobs === 1 ? 'job' : 'jobs'} on {places.size}{' '}
        {sets.length > 0 ? 'sets of machines and kernels' : places.size === 1 ? 'machine' : 'machines'}
        {isFree && ', chosen when they start'}
      </h3>
      <p className="plan-start">{startSummary(report.plan)}</p>
      {report.builds.map((build) => (
        <p key={kernelText(build)} className="plan-build">
          <strong>{kernelText(build)}</strong>: {buildEstimateText(build)}
        </p>
      ))}
      {report.series.map((series) => (
        <p key={`${series.buildIndex}.${series.index}`} className="plan-series">
          <strong>{series.build}</strong>: {seriesText(series)}
        </p>
      ))}
      <ul className="plan">
        {report.plan.map((job, index) => (
          <li key={index}>
            {(job.roles.length === 0 ? [{ ...job, role: null }] : job.roles).map((part) => (
              <div key={part.role ?? ''}>
                {part.role !== null && <span className="chip">{part.role}</span>} <strong>{part.build}</strong> on{' '}
                {machinesText(part)} <PathChip kind={part.pathKind} />
                {job.boots > 1 && <span className="chip">{job.boots} boots, in turns</span>}
                <div className="muted">
                  {part.combination}
                  {part.machinesTotal === 1 && ` · ${pairText(part.pair)}`} · {part.suites.join(', ')}
                </div>
              </div>
            ))}
            <div className={`start start-${job.start.when}`}>
              <span aria-hidden="true">{START_ICONS[job.start.when]}</span> {job.start.text}
              {job.start.lastSeenAt !== null && (
                <>
                  , last seen <Ago at={job.start.lastSeenAt} />
                </>
              )}
            </div>
          </li>
        ))}
      </ul>
    </>
  );
}
