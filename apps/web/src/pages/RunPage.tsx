import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { aboutText, runPhase, standingText, type RunDetail } from '@peerlab/contracts';
import { lazy, Suspense, useRef, useState, type ReactNode } from 'react';
import { useTopics } from '../api/live-context.js';
import { runApi, runQuery } from '../api/runs.js';
import { whenThere } from '../lazy-page.js';
import { RunFailures } from '../failures/RunFailures.js';
import { newRunId } from '../runs/run-id.js';
import { JobCard } from '../runs/JobCard.js';
import { PinButton } from '../runs/PinButton.js';
import { RunSuspects } from '../runs/RunSuspects.js';
import { TwoSided } from '../runs/TwoSided.js';
import { ShareMenu } from '../share/ShareMenu.js';
import { Dialog } from '../ui/dialog.js';
import { countOf } from '../ui/numbers.js';
import { Loading, QuerySection, useTitle, WriteError } from '../ui/section.js';
import { Ago, Elapsed } from '../ui/time.js';
import { RunStanding, VerdictCounts } from '../ui/verdict.js';

const route = getRouteApi('/runs/$run');
/** Loaded separately: what a run showed needs its whole grid, which comes later than the page. */
const RunReport = lazy(whenThere(async () => ({ default: (await import('../runs/RunReport.js')).RunReport })));

/** One run: its jobs, live, and the actions on it. */
export function RunPage(): ReactNode {
  const { run: id } = route.useParams();
  useTopics(`run:${id}`);
  const query = useQuery(runQuery(id));
  useTitle(query.data === undefined ? 'Run' : `${standingText(query.data)}: ${query.data.name}`);
  return (
    <QuerySection query={query} what="the run" heading="Run">
      {(run) => (
        <>
          <RunHead run={run} />
          <RunSuspects run={run} />
          <Suspense fallback={<Loading what="the report" />}>
            <RunReport run={run} />
          </Suspense>
          <TwoSided run={run} />
          <RunFailures run={run.id} />
          <JobList run={run} />
          <RunSource run={run} />
        </>
      )}
    </QuerySection>
  );
}

function RunHead({ run }: { run: RunDetail }): ReactNode {
  return (
    <>
      <p className="crumbs">
        <Link to="/runs">Runs</Link> / <span className="muted">{run.id.slice(0, 8)}</span>
      </p>
      <div className="page-head">
        <h1>{run.name}</h1>
        <RunStanding run={run} />
        {run.cancelRequested && <span className="chip">{run.state === 'ended' ? 'canceled' : 'cancel requested'}</span>}
        {run.purpose === 'health' && <span className="chip">health check</span>}
        {run.pin !== null && <span className="chip">pinned by {run.pin.by}</span>}
        <RunActions run={run} />
      </div>
      <dl className="facts-row">
        <div>
          <dt>Results</dt>
          <dd>
            <VerdictCounts counts={run.counts} />
          </dd>
        </div>
        <div>
          <dt>Jobs ended</dt>
          <dd className="number">
            {run.jobs.ended} of {run.jobs.total}
          </dd>
        </div>
        <div>
          <dt>Trigger</dt>
          <dd>
            {run.trigger.kind}, {run.trigger.detail}
          </dd>
        </div>
        <div>
          <dt>Created</dt>
          <dd>
            <Ago at={run.createdAt} />
          </dd>
        </div>
        <div>
          <dt>{run.endedAt !== null ? 'Took' : runPhase(run) === 'running' ? 'Running for' : 'Since it began'}</dt>
          <dd>{run.startedAt === null ? 'not started' : <Elapsed from={run.startedAt} to={run.endedAt} />}</dd>
        </div>
        {run.state !== 'ended' && run.endsInMs !== null && (
          <div>
            <dt>Expected to end</dt>
            <dd>in {aboutText(run.endsInMs)}</dd>
          </div>
        )}
      </dl>
    </>
  );
}

function RunActions({ run }: { run: RunDetail }): ReactNode {
  const queries = useQueryClient();
  const navigate = route.useNavigate();
  const [asked, setAsked] = useState(false);
  const refresh = (): void => void queries.invalidateQueries({ queryKey: ['run', run.id] });
  const cancel = useMutation({
    mutationFn: () => runApi.call('cancelRun', { params: { run: run.id } }),
    onSuccess: refresh,
  });
  // Pressed again after an answer was lost, it is the same run.
  const next = useRef('');
  const retry = useMutation({
    mutationFn: () => {
      if (next.current === '') next.current = newRunId();
      return runApi.call('retryRun', { params: { run: run.id }, body: { id: next.current } });
    },
    onSuccess: (started) => {
      next.current = '';
      refresh();
      void queries.invalidateQueries({ queryKey: ['runs'] });
      if (started.id !== run.id) void navigate({ to: '/runs/$run', params: { run: started.id } });
    },
  });
  return (
    <div className="push row">
      <Link to="/" search={{ run: run.id }} className="button">
        Grid
      </Link>
      <Link to="/compare" search={{ a: run.id }} className="button">
        {run.builds.length > 1 ? 'Compare builds' : 'Compare'}
      </Link>
      <Link to="/submit" search={{ from: run.id }} className="button">
        Clone and edit
      </Link>
      <PinButton run={run} />
      <ShareMenu run={run} />
      {run.state === 'ended' ? (
        <button type="button" disabled={retry.isPending} onClick={() => retry.mutate()}>
          Retry
        </button>
      ) : (
        <button
          type="button"
          className="danger"
          disabled={cancel.isPending || run.cancelRequested}
          onClick={() => setAsked(true)}
        >
          Cancel
        </button>
      )}
      {asked && (
        <Dialog title="Cancel this run?" onClose={() => setAsked(false)}>
          <p>
            <strong>{run.name}</strong> stops now. Its machines are first restored to their default kernel, which takes
            a minute or two.
          </p>
          <p className="row">
            <button
              type="button"
              className="danger"
              onClick={() => {
                setAsked(false);
                cancel.mutate();
              }}
            >
              Cancel the run
            </button>
            <button type="button" onClick={() => setAsked(false)}>
              Let it run
            </button>
          </p>
        </Dialog>
      )}
      <WriteError error={cancel.error ?? retry.error} />
    </div>
  );
}

function JobList({ run }: { run: RunDetail }): ReactNode {
  const builds = run.jobViews.filter(({ kind }) => kind === 'build');
  const tests = run.jobViews.filter(({ kind }) => kind === 'test');
  // With `repeat` they are many, and say the same as the first boot of their turn.
  const later = new Set(
    tests.filter(({ boot, state, attempts }) => (boot?.number ?? 1) > 1 && state !== 'ended' && attempts.length === 0),
  );
  return (
    <>
      {builds.length > 0 && (
        <section aria-labelledby="builds-head">
          <h2 id="builds-head">Kernel builds</h2>
          <Jobs jobs={builds} />
        </section>
      )}
      <section aria-labelledby="tests-head">
        <h2 id="tests-head">Tests on hardware</h2>
        <Jobs jobs={tests.filter((job) => !later.has(job))} />
        {later.size > 0 && (
          <details className="source">
            <summary>{countOf(later.size, 'more boot')} of the same kernels and machines, not begun</summary>
            <Jobs jobs={[...later]} />
          </details>
        )}
        {tests.length === 0 && <p className="muted">No test job has been planned.</p>}
      </section>
    </>
  );
}

function Jobs({ jobs }: { jobs: RunDetail['jobViews'] }): ReactNode {
  return (
    <div className="cards">
      {jobs.map((job) => (
        <JobCard key={job.id} job={job} />
      ))}
    </div>
  );
}

function RunSource({ run }: { run: RunDetail }): ReactNode {
  return (
    <details className="source">
      <summary>Submitted as</summary>
      <pre tabIndex={0}>{run.yaml ?? JSON.stringify(run.spec, null, 2)}</pre>
    </details>
  );
}
