import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { CrashDetail, CrashSighting, FailureSighting } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { useTopics } from '../api/live-context.js';
import { crashQuery } from '../api/crashes.js';
import { CallSources } from '../crashes/CallSources.js';
import { CrashMail } from '../crashes/CrashMail.js';
import { CrashMark } from '../crashes/CrashMark.js';
import { useListKeys } from '../ui/list-keys.js';
import { ListTable } from '../ui/ListTable.js';
import { countOf, countText, linesText } from '../ui/numbers.js';
import { QuerySection, useTitle } from '../ui/section.js';
import { Ago } from '../ui/time.js';

const route = getRouteApi('/crashes/$crash');

/** One crash over all runs: since when, on what, and where it was not before. */
export function CrashPage(): ReactNode {
  const { crash: key } = route.useParams();
  useTopics('grid');
  useListKeys();
  const query = useQuery(crashQuery(key));
  useTitle(query.data?.title ?? 'Crash');
  return (
    <QuerySection query={query} what="the crash" heading="Crash">
      {(crash) => (
        <>
          <p className="crumbs">
            <Link to="/crashes">Crashes</Link> / <span className="muted">{crash.type}</span>
          </p>
          <div className="page-head">
            <h1>{crash.title}</h1>
            <CrashMark crash={crash} />
          </div>
          <p className="list-lead">
            Seen {countOf(crash.count, 'time')} on {countOf(crash.combinations, 'combination')} and{' '}
            {countOf(crash.kernels, 'kernel')} since build {crash.first.build}: first <Place at={crash.first} />, last{' '}
            <Place at={crash.last} />.
          </p>
          <Places crash={crash} />
          <Report crash={crash} />
          <Sightings crash={crash} />
        </>
      )}
    </QuerySection>
  );
}

function Place({ at }: { at: FailureSighting }): ReactNode {
  return (
    <>
      <Link to="/attempts/$attempt" params={{ attempt: at.attemptId }}>
        <Ago at={at.at} />
      </Link>
      {at.machine !== null && <span className="muted"> on {at.machine}</span>}
    </>
  );
}

function Places({ crash: { places } }: { crash: CrashDetail }): ReactNode {
  return (
    <section aria-labelledby="places-head">
      <h2 id="places-head">Where, and since when</h2>
      <ListTable
        rows={places}
        keyOf={({ combination }) => combination?.hash ?? ''}
        columns={[
          {
            name: 'Combination',
            render: ({ combination }) =>
              combination === null ? (
                <span className="muted">none</span>
              ) : (
                <Link to="/" search={{ by: 'builds', combination: combination.hash }}>
                  {combination.label}
                </Link>
              ),
          },
          { name: 'Seen', className: 'number', render: ({ count }) => `${countText(count)} ×` },
          { name: 'First bad', render: ({ first }) => <BuildAt at={first} /> },
          {
            name: 'Last good',
            render: ({ lastGood }) =>
              lastGood === null ? <span className="muted">none is known</span> : <BuildAt at={lastGood} />,
          },
          { name: 'Last seen', render: ({ last }) => <BuildAt at={last} /> },
        ]}
      />
    </section>
  );
}

function BuildAt({ at }: { at: FailureSighting }): ReactNode {
  return (
    <>
      {at.build} <Place at={at} /> <span className="muted">in</span>{' '}
      <Link to="/runs/$run" params={{ run: at.run.id }}>
        {at.run.name}
      </Link>
    </>
  );
}

function Report({ crash }: { crash: CrashDetail }): ReactNode {
  const { frames, sources, sourcesBuild, taint, tests, builds, sightings } = crash;
  const [newest] = sightings;
  return (
    <section aria-labelledby="report-head">
      <h2 id="report-head">The report</h2>
      <dl className="facts">
        {tests.length > 0 && (
          <>
            <dt>Tests</dt>
            <dd>
              {tests.map(({ suite, test, count }) => (
                <div key={`${suite}/${test}`}>
                  <Link to="/history" search={{ suite, test }}>
                    {suite}/{test}
                  </Link>{' '}
                  <span className="muted">× {countText(count)}</span>
                </div>
              ))}
            </dd>
          </>
        )}
        <dt>Kernels</dt>
        <dd>
          {builds.map(({ id, name, release, count }) => (
            <div key={id}>
              <Link to="/builds/$build" params={{ build: id }}>
                {name}
              </Link>{' '}
              <span className="muted">
                {release} × {countText(count)}
              </span>
            </div>
          ))}
        </dd>
        {taint !== null && (
          <>
            <dt>Taint</dt>
            <dd>{taint === '' ? 'not tainted' : taint}</dd>
          </>
        )}
        {frames.length > 0 && (
          <>
            <dt>Frames</dt>
            <dd>
              <code className="crash-frames">{frames.join('\n')}</code>
            </dd>
          </>
        )}
      </dl>
      <CallSources sources={sources} build={sourcesBuild} />
      {newest !== undefined && <CrashMail attempt={newest.attemptId} crash={crash.key} role={newest.role} />}
    </section>
  );
}

function Sightings({ crash: { sightings, count } }: { crash: CrashDetail }): ReactNode {
  return (
    <section aria-labelledby="sightings-head">
      <h2 id="sightings-head">Attempts that have it</h2>
      <ListTable
        rows={sightings}
        keyOf={({ attemptId, role }) => `${attemptId} ${role}`}
        columns={[
          { name: 'When', className: 'whole', render: (at) => <Place at={at} /> },
          {
            name: 'Build',
            render: ({ build, buildId }) => (
              <Link to="/builds/$build" params={{ build: buildId }}>
                {build}
              </Link>
            ),
          },
          { name: 'During', render: ({ suite, test }) => suite !== null && `${suite}/${test ?? ''}` },
          { name: 'Report', render: (at) => <Lines at={at} /> },
          {
            name: 'Run',
            render: ({ run }) => (
              <Link to="/runs/$run" params={{ run: run.id }}>
                {run.name}
              </Link>
            ),
          },
        ]}
      />
      {count > sightings.length && (
        <p className="muted">Only the newest {sightings.length === 1 ? 'is' : `${sightings.length} are`} listed.</p>
      )}
    </section>
  );
}

function Lines({ at }: { at: CrashSighting }): ReactNode {
  const { attemptId, stream, startLine, endLine, times } = at;
  return (
    <>
      <Link
        to="/attempts/$attempt"
        params={{ attempt: attemptId }}
        search={{ view: 'log', stream, line: startLine + 1, to: endLine + 1 }}
        data-row
      >
        {stream} {linesText(startLine, endLine)}
      </Link>
      {times > 1 && <span className="muted"> × {countText(times)}</span>}
    </>
  );
}
