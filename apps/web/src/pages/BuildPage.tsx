import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import {
  carriesMutants,
  countsLines,
  describeBuildError,
  type BuildBase,
  type BuildDetail,
  type BuildJob,
} from '@peerlab/contracts';
import { lazy, Suspense, type ReactNode } from 'react';
import { useTopics } from '../api/live-context.js';
import { buildQuery } from '../api/builds.js';
import { Digests, Drivers, SameKernel, Suites } from '../builds/Bundle.js';
import { KernelFiles } from '../builds/KernelFiles.js';
import { Series } from '../builds/Series.js';
import { whenThere } from '../lazy-page.js';
import { evidenceSearch } from '../runs/evidence.js';
import { Reason } from '../runs/Reason.js';
import { ListTable } from '../ui/ListTable.js';
import { bytesText } from '../ui/numbers.js';
import { Loading, QuerySection, useTitle } from '../ui/section.js';
import { Ago } from '../ui/time.js';
import { PathChip, StateBadge, VerdictMark } from '../ui/verdict.js';
import { featuresText } from '../grid/kernel-model.js';

const Coverage = lazy(whenThere(async () => ({ default: (await import('../builds/Coverage.js')).Coverage })));

const Mutants = lazy(whenThere(async () => ({ default: (await import('../builds/Mutants.js')).Mutants })));

const route = getRouteApi('/builds/$build');

/** One kernel build: its source, its bundle, and its tests. */
export function BuildPage(): ReactNode {
  const { build: id } = route.useParams();
  useTopics('builds');
  const query = useQuery(buildQuery(id));
  const build = query.data;
  useTitle(build === undefined ? 'Kernel build' : `${build.state}: build ${build.name}`);
  return (
    <QuerySection query={query} what="the kernel build" heading="Kernel build">
      {(data) => (
        <>
          <RunTopic run={data.runId} />
          <BuildHead build={data} />
          <TestedOn build={data} />
          {data.manifest !== null && countsLines(data.manifest) && (
            <Suspense fallback={<Loading what="the coverage" />}>
              <Coverage build={data.id} />
            </Suspense>
          )}
          {data.manifest !== null && carriesMutants(data.manifest) && (
            <Suspense fallback={<Loading what="the mutants" />}>
              <Mutants build={data.id} />
            </Suspense>
          )}
          <SeriesOfPage build={data} />
          {data.manifest !== null && (
            <>
              <Suites manifest={data.manifest} />
              <Drivers drivers={data.drivers} />
              <KernelFiles build={data} manifest={data.manifest} />
              <Digests manifest={data.manifest} bundle={data.bundle} />
            </>
          )}
          <SameKernel same={data.same} sameTotal={data.sameTotal} />
        </>
      )}
    </QuerySection>
  );
}

function RunTopic({ run }: { run: string }): ReactNode {
  useTopics(`run:${run}`);
  return null;
}

function SeriesOfPage({ build }: { build: BuildDetail }): ReactNode {
  const { open = '' } = route.useSearch();
  const navigate = route.useNavigate();
  const numbers = new Set(open.split(',').map(Number));
  return (
    <Series
      build={build}
      open={numbers}
      onOpen={(next) =>
        void navigate({ search: { open: next.join(',') || undefined }, replace: true, resetScroll: false })
      }
    />
  );
}

function BuildHead({ build }: { build: BuildDetail }): ReactNode {
  const { manifest, bundle } = build;
  return (
    <>
      <p className="crumbs">
        <Link to="/builds">Kernel builds</Link> / <span className="muted">{build.id.slice(0, 8)}</span>
      </p>
      <div className="page-head">
        <h1>{build.name}</h1>
        <StateBadge state={build.state} />
        {manifest !== null && (
          <span className="chip" title="what this kernel can do that others cannot">
            {featuresText(manifest.features)}
          </span>
        )}
        <div className="push row">
          {build.buildAttemptId !== null && (
            <Link to="/attempts/$attempt" params={{ attempt: build.buildAttemptId }} className="button">
              Build log
            </Link>
          )}
          <Link to="/" search={{ run: build.runId }} className="button">
            Grid
          </Link>
        </div>
      </div>
      {build.error !== null && (
        <p className="notice notice-bad">
          <Reason text={describeBuildError(build.error)} suite="" build={build.id} /> <ErrorPlace build={build} />
        </p>
      )}
      <dl className="facts-row">
        <Fact name="Run">
          <Link to="/runs/$run" params={{ run: build.runId }}>
            {build.runName}
          </Link>{' '}
          <span className="muted">{build.run.trigger}</span>
        </Fact>
        <Fact name="Release">{manifest === null ? <Nothing /> : <code>{manifest.release}</code>}</Fact>
        <Fact name="Base">{manifest === null ? <Nothing /> : manifest.base.version}</Fact>
        {build.source !== null && build.source.kind !== 'farm' && (
          <Fact name="Source">
            <SourceText source={build.source} />
          </Fact>
        )}
        <Fact name="Config">
          {build.config ?? (build.configFile === null ? <Nothing /> : 'of the run')}
          {build.configFile !== null && (
            <>
              {', from the file '}
              <code title={build.configFile}>{build.configFile.slice(0, 12)}</code>
            </>
          )}
          {build.fragment !== null && ' + fragment of the run'}
        </Fact>
        <Fact name="Bundle">
          {bundle === null ? (
            <Nothing />
          ) : (
            <>
              <span className="number">{bytesText(bundle.sizeBytes)}</span>
              {bundle.removedAt !== null && (
                <span className="muted">
                  , removed <Ago at={bundle.removedAt} />
                </span>
              )}
            </>
          )}
        </Fact>
        <Fact name="Created">
          <Ago at={build.createdAt} />
        </Fact>
      </dl>
    </>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }): ReactNode {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

const Nothing = (): ReactNode => <span className="muted">not built</span>;

function TestedOn({ build }: { build: BuildDetail }): ReactNode {
  return (
    <section aria-labelledby="jobs-head">
      <h2 id="jobs-head">Tested on</h2>
      <ListTable
        rows={build.jobs}
        keyOf={(job) => `${job.id}/${job.role}`}
        columns={[
          {
            name: 'Verdict',
            render: (job) =>
              job.verdict === null ? <StateBadge state={job.state} /> : <VerdictMark verdict={job.verdict} long />,
          },
          {
            name: 'Combination',
            render: (job) =>
              job.combination === null ? (
                <span className="muted">not known</span>
              ) : (
                <span className="row tight">
                  <PathChip kind={job.combination.identity.pathKind} />
                  <span>{job.combination.label}</span>
                </span>
              ),
          },
          ...(build.jobs.some(({ role }) => role !== null)
            ? [{ name: 'Role', render: (job: BuildJob) => job.role }]
            : []),
          {
            name: 'Machine',
            render: (job) =>
              job.machine !== null && (
                <Link to="/machines/$machine" params={{ machine: job.machine }}>
                  {job.machine}
                </Link>
              ),
          },
          {
            name: 'Evidence',
            render: (job) =>
              job.attemptId === null ? (
                <span className="muted">no attempt</span>
              ) : (
                <Link to="/attempts/$attempt" params={{ attempt: job.attemptId }}>
                  results and logs
                </Link>
              ),
          },
        ]}
        empty={<p className="muted">No test job of the run uses this build.</p>}
      />
    </section>
  );
}

/** The line of the log that names the reason. */
function ErrorPlace({ build: { error, buildAttemptId } }: { build: BuildDetail }): ReactNode {
  if (error?.class !== 'compile' || error.logSeq == null || buildAttemptId === null) return null;
  const log = { stream: 'build', fromSeq: error.logSeq, toSeq: error.logSeq } as const;
  return (
    <Link to="/attempts/$attempt" params={{ attempt: buildAttemptId }} search={evidenceSearch(log)}>
      line {error.logSeq + 1} of the log
    </Link>
  );
}

/** What was built: the commit, not the branch that it was found by. */
function SourceText({ source }: { source: BuildBase }): ReactNode {
  if (source.kind === 'farm') return 'the farm’s base';
  if (source.kind === 'base') return `base ${source.name}`;
  if (source.kind === 'tarball') return <code title={source.sha256}>tarball {source.sha256.slice(0, 12)}</code>;
  return (
    <>
      <code title={source.commit ?? undefined}>{source.commit?.slice(0, 12) ?? 'not looked up yet'}</code>{' '}
      <span className="muted">
        {source.ref} of {source.url}
      </span>
    </>
  );
}
