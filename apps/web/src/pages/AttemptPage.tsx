import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useLocation } from '@tanstack/react-router';
import { LOG_STREAMS, type AttemptDetail, type LogStream } from '@peerlab/contracts';
import { useEffect, useEffectEvent, type ReactNode } from 'react';
import { useTopics } from '../api/live-context.js';
import { attemptQuery } from '../api/queries.js';
import { AttemptLog } from '../logs/AttemptLog.js';
import { FailureNotice } from '../runs/AttemptBox.js';
import { KernelTable } from '../runs/KernelTable.js';
import { MeasurementTable, ResultTable } from '../runs/ResultTable.js';
import { StageStrip } from '../runs/StageStrip.js';
import { countText } from '../ui/numbers.js';
import { QuerySection, useTitle } from '../ui/section.js';
import { Ago, Elapsed } from '../ui/time.js';
import { PathChip, StateBadge } from '../ui/verdict.js';

const route = getRouteApi('/attempts/$attempt');
/** Interval at which the line counts of a running attempt are fetched, in milliseconds. */
const COUNTS_MS = 4000;

/** One try of a job on its machine: evidence and logs. */
export function AttemptPage(): ReactNode {
  const { attempt: id } = route.useParams();
  const query = useQuery({
    ...attemptQuery(id),
    // New log lines cause no `changed` message, so the counts on the tabs are polled while the attempt runs.
    refetchInterval: ({ state }) => (state.data?.state === 'ended' ? false : COUNTS_MS),
  });
  const attempt = query.data;
  useTitle(attempt === undefined ? 'Attempt' : `Attempt ${attempt.number}, ${attempt.machine ?? attempt.build}`);
  return (
    <QuerySection query={query} what="the attempt" heading="Attempt">
      {(data) => (
        <>
          <Topics run={data.run.id} />
          <AttemptHead attempt={data} />
          <AttemptViews attempt={data} />
        </>
      )}
    </QuerySection>
  );
}

function Topics({ run }: { run: string }): ReactNode {
  useTopics(`run:${run}`);
  return null;
}

function AttemptHead({ attempt }: { attempt: AttemptDetail }): ReactNode {
  return (
    <>
      <p className="crumbs">
        <Link to="/runs">Runs</Link> /{' '}
        <Link to="/runs/$run" params={{ run: attempt.run.id }}>
          {attempt.run.name}
        </Link>{' '}
        / <span className="muted">attempt {attempt.number}</span>
      </p>
      <div className="page-head">
        <h1>
          {attempt.kind === 'build' && 'Build '}
          <Link to="/builds/$build" params={{ build: attempt.buildId }}>
            {attempt.build}
          </Link>
          {attempt.kind === 'test' && ` on ${attempt.machine ?? 'no machine yet'}`}
        </h1>
        {attempt.combination !== null && <PathChip kind={attempt.combination.identity.pathKind} />}
        {attempt.state !== 'ended' && <StateBadge state={attempt.state} />}
        <span className="muted">
          attempt {attempt.number} by {attempt.agent}, started <Ago at={attempt.startedAt} />,{' '}
          <Elapsed from={attempt.startedAt} to={attempt.endedAt} />
        </span>
      </div>
      <StageStrip kind={attempt.kind} stages={attempt.stages} ended={attempt.state === 'ended'} />
      <FailureNotice attempt={attempt} />
    </>
  );
}

function AttemptViews({ attempt }: { attempt: AttemptDetail }): ReactNode {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const view = search.view ?? (search.line !== undefined || attempt.kind === 'build' ? 'log' : 'evidence');
  const streams = orderedStreams(attempt);
  const stream = search.stream ?? streams[0]?.stream;
  useLineFragment(
    (line) =>
      void navigate({ search: (before) => ({ ...before, view: 'log', line, to: undefined }), hash: '', replace: true }),
  );
  const { q, regex, case: isCase, hits, wrap, time } = search;
  const kept = { q, regex, case: isCase, hits, wrap, time };
  return (
    <>
      <nav className="tabs" aria-label="Views of the attempt">
        <Link
          from={route.id}
          to="."
          search={(before) => ({ ...before, view: 'evidence' as const })}
          aria-current={view === 'evidence' ? 'page' : undefined}
          className={view === 'evidence' ? 'tab tab-open' : 'tab'}
        >
          Evidence
        </Link>
        {streams.map((each) => {
          const isOpen = view === 'log' && each.stream === stream;
          return (
            <Link
              key={each.stream}
              from={route.id}
              to="."
              search={{ view: 'log', stream: each.stream, ...kept }}
              aria-current={isOpen ? 'page' : undefined}
              className={`tab stream-${each.stream}${isOpen ? ' tab-open' : ''}`}
            >
              {each.stream} <span className="muted number">{countText(each.lines)}</span>
              {each.expected !== null && each.expected !== each.lines && (
                <span className="chip chip-warn" title={`the agent produced ${each.expected} lines`}>
                  {countText(each.expected - each.lines)} missing
                </span>
              )}
            </Link>
          );
        })}
        {streams.length > 1 && (
          <Link
            from={route.id}
            to="."
            search={{ view: 'log', stream: 'all', ...kept }}
            aria-current={view === 'log' && stream === 'all' ? 'page' : undefined}
            className={view === 'log' && stream === 'all' ? 'tab tab-open' : 'tab'}
          >
            all by time
          </Link>
        )}
      </nav>
      {view === 'evidence' || stream === undefined ? (
        <Evidence attempt={attempt} />
      ) : (
        <AttemptLog key={`${attempt.id}/${stream}`} attempt={attempt} stream={stream} streams={streams} />
      )}
    </>
  );
}

function Evidence({ attempt }: { attempt: AttemptDetail }): ReactNode {
  return (
    <>
      <KernelTable attempt={attempt} />
      <ResultTable attempt={attempt} />
      <MeasurementTable measurements={attempt.measurements} />
      {attempt.kind === 'build' && attempt.results.length === 0 && (
        <p className="muted">A build has no test results; its log has the details.</p>
      )}
    </>
  );
}

const STREAMS_OF: Record<AttemptDetail['kind'], readonly LogStream[]> = {
  build: ['build', 'agent'],
  test: ['serial', 'kernel', 'test', 'agent'],
};

/** Streams that the attempt has or will have, the most useful one first. */
function orderedStreams(attempt: AttemptDetail): AttemptDetail['streams'] {
  const expected = STREAMS_OF[attempt.kind];
  const names = [...expected, ...LOG_STREAMS.filter((stream) => !expected.includes(stream))];
  return names.flatMap((stream) => {
    const known = attempt.streams.find((each) => each.stream === stream);
    if (known !== undefined) return [known];
    return expected.includes(stream) ? [{ stream, lines: 0, expected: null, removedAt: null }] : [];
  });
}

/** Reads the line from a fragment such as `#L120`, once per change of the fragment. */
function useLineFragment(open: (line: number) => void): void {
  const hash = useLocation({ select: (location) => location.hash });
  const opener = useEffectEvent(open);
  useEffect(() => {
    const match = /^L(\d{1,9})$/.exec(hash);
    if (match !== null) opener(Math.max(1, Number(match[1])));
  }, [hash]);
}
