import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useLocation } from '@tanstack/react-router';
import {
  bootText,
  countVerdicts,
  LOG_STREAMS,
  verdictOfAttempt,
  verdictOfFailure,
  VERDICT_TABLE,
  wrongText,
  type AttemptDetail,
  type LogStream,
} from '@peerlab/contracts';
import { Fragment, useEffect, useEffectEvent, type ReactNode } from 'react';
import { useTopics } from '../api/live-context.js';
import { attemptQuery } from '../api/attempts.js';
import { AttemptCrashes } from '../crashes/AttemptCrashes.js';
import { AttemptAlarms } from '../crashes/HardwareAlarms.js';
import { AcceptBaseline } from '../failures/AcceptBaseline.js';
import { OwnFailure } from '../failures/AttemptFailure.js';
import { AttemptLog } from '../logs/AttemptLog.js';
import { AttemptFiles } from '../runs/AttemptFiles.js';
import { FailureNotice } from '../runs/AttemptBox.js';
import { Participants } from '../runs/Participants.js';
import { KernelTable } from '../runs/KernelTable.js';
import { MeasurementTable, ResultTable } from '../runs/ResultTable.js';
import { SuspectNotice } from '../runs/SuspectNotice.js';
import { StageStrip } from '../runs/StageStrip.js';
import type { AttemptSearch } from '../search.js';
import { countText } from '../ui/numbers.js';
import { QuerySection, useTitle } from '../ui/section.js';
import { Ago, Elapsed } from '../ui/time.js';
import { PathChip, StateBadge, VerdictCounts, VerdictMark } from '../ui/verdict.js';

const route = getRouteApi('/attempts/$attempt');
/** Interval at which the line counts of a running attempt are fetched, in milliseconds. */
const COUNTS_MS = 4000;

/** One try of a job on its machine: evidence, logs, and the files of both. */
export function AttemptPage(): ReactNode {
  const { attempt: id } = route.useParams();
  const query = useQuery({
    ...attemptQuery(id),
    // New log lines cause no `changed` message, so the counts on the tabs are polled while the attempt runs.
    refetchInterval: ({ state }) => (state.data?.state === 'ended' ? false : COUNTS_MS),
  });
  const attempt = query.data;
  const verdict = attempt === undefined || attempt.kind === 'build' ? null : verdictOfAttempt(attempt);
  const standing = verdict === null ? '' : `${VERDICT_TABLE[verdict].label}: `;
  useTitle(
    attempt === undefined ? 'Attempt' : `${standing}attempt ${attempt.number}, ${attempt.machine ?? attempt.build}`,
  );
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
          <BuildsOf attempt={attempt} />
          {attempt.kind === 'test' && ` on ${machinesOf(attempt)}`}
        </h1>
        <AttemptStanding attempt={attempt} />
        {attempt.combination !== null && <PathChip kind={attempt.combination.identity.pathKind} />}
        <span className="muted">
          {attempt.boot !== null && `${bootText(attempt.boot)}, `}attempt {attempt.number} by {agentsOf(attempt)},
          started <Ago at={attempt.startedAt} />, <Elapsed from={attempt.startedAt} to={attempt.endedAt} />
        </span>
      </div>
      {attempt.participants.length === 1 && (
        <StageStrip
          kind={attempt.kind}
          stages={attempt.stages}
          failure={attempt.failure}
          ended={attempt.state === 'ended'}
        />
      )}
      <Predictions attempt={attempt} />
      <SuspectNotice suspects={attempt.suspects} />
      <FailureNotice attempt={attempt} />
      {attempt.participants.length > 1 && <Participants attempt={attempt} />}
      <OwnFailure attempt={attempt} />
    </>
  );
}

/** Where the source of a kernel has another rule for paths than the combination was named by, and what follows from it. */
function Predictions({ attempt: { participants } }: { attempt: AttemptDetail }): ReactNode {
  return participants.map(({ role, prediction = null }) =>
    prediction === null ? null : (
      <p key={role} className="notice" role="note">
        {participants.length > 1 && `${role}: `}
        By the source of this kernel the path is {prediction.kind === null ? '' : `${prediction.kind}: `}
        {prediction.reason}
      </p>
    ),
  );
}

/** The build of an attempt; where roles boot several, each once. */
function BuildsOf({ attempt: { participants, build, buildId } }: { attempt: AttemptDetail }): ReactNode {
  const builds = new Map([
    [buildId, build],
    ...participants.map((each) => [each.build?.id ?? buildId, each.build?.name ?? build] as const),
  ]);
  return [...builds].map(([id, name], index) => (
    <Fragment key={id}>
      {index > 0 && ' and '}
      <Link to="/builds/$build" params={{ build: id }}>
        {name}
      </Link>
    </Fragment>
  ));
}

const machinesOf = ({ participants }: AttemptDetail): string =>
  participants.map(({ machine }) => machine ?? 'no machine yet').join(' and ');

const agentsOf = ({ participants }: AttemptDetail): string =>
  [...new Set(participants.map(({ agent }) => agent))].join(' and ');

/** Its verdict with the counts; before its end what it does, and what has gone wrong so far. */
function AttemptStanding({ attempt }: { attempt: AttemptDetail }): ReactNode {
  const { kind, state, results, failure } = attempt;
  if (kind === 'build') {
    if (state !== 'ended') return <StateBadge state={state} />;
    if (attempt.progress?.cached === true) return <span className="chip">from the cache</span>;
    return failure === null ? (
      <StateBadge state="ready" />
    ) : (
      <VerdictMark verdict={verdictOfFailure(failure.class)} long />
    );
  }
  const verdict = verdictOfAttempt(attempt);
  const counts = countVerdicts(results);
  if (verdict !== null) {
    return (
      <>
        <VerdictMark verdict={verdict} long />
        <VerdictCounts counts={counts} />
      </>
    );
  }
  const wrong = wrongText(counts);
  return (
    <>
      <StateBadge state={state} />
      {results.length > 0 && (
        <span className="muted">
          {countText(results.length)} {results.length === 1 ? 'result' : 'results'},{' '}
          {wrong === '' ? 'no failure' : wrong} so far
        </span>
      )}
    </>
  );
}

/** On a phone the tabs are wider than the screen. */
const revealTab = (tab: HTMLElement | null): void => tab?.scrollIntoView({ block: 'nearest', inline: 'nearest' });

function AttemptViews({ attempt }: { attempt: AttemptDetail }): ReactNode {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const view = search.view ?? (search.line !== undefined || attempt.kind === 'build' ? 'log' : 'evidence');
  const role = shownRole(attempt, search.role);
  const streams = orderedStreams(attempt, role);
  const stream = role === '*' ? 'all' : (search.stream ?? streams[0]?.stream);
  useLineFragment(
    (line) =>
      void navigate({ search: (before) => ({ ...before, view: 'log', line, to: undefined }), hash: '', replace: true }),
  );
  const { q, regex, case: isCase, hits, wrap, time } = search;
  const kept = { q, regex, case: isCase, hits, wrap, time, role: search.role };
  return (
    <>
      <nav className="tabs" aria-label="Views of the attempt">
        <Link
          from={route.id}
          to="."
          search={(before) => ({ ...before, view: 'evidence' as const })}
          ref={view === 'evidence' ? revealTab : null}
          aria-current={view === 'evidence' ? 'page' : undefined}
          className={view === 'evidence' ? 'tab tab-open' : 'tab'}
        >
          Evidence
        </Link>
        {(role === '*' ? [] : streams).map((each) => {
          const isOpen = view === 'log' && each.stream === stream;
          return (
            <Link
              key={each.stream}
              from={route.id}
              to="."
              search={{ view: 'log', stream: each.stream, ...kept }}
              ref={isOpen ? revealTab : null}
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
        {streams.length > 1 && role !== '*' && (
          <Link
            from={route.id}
            to="."
            search={{ view: 'log', stream: 'all', ...kept }}
            ref={view === 'log' && stream === 'all' ? revealTab : null}
            aria-current={view === 'log' && stream === 'all' ? 'page' : undefined}
            className={view === 'log' && stream === 'all' ? 'tab tab-open' : 'tab'}
          >
            all by time
          </Link>
        )}
        <Link
          from={route.id}
          to="."
          search={{ view: 'files', ...kept }}
          ref={view === 'files' ? revealTab : null}
          aria-current={view === 'files' ? 'page' : undefined}
          className={view === 'files' ? 'tab tab-open' : 'tab'}
        >
          Files
        </Link>
      </nav>
      {role !== undefined && view !== 'evidence' && <RoleChoice attempt={attempt} role={role} isLog={view === 'log'} />}
      {view === 'files' ? (
        <AttemptFiles attempt={attempt} streams={streams} role={role === '*' ? attempt.participants[0]?.role : role} />
      ) : view === 'evidence' || stream === undefined ? (
        <Evidence
          attempt={attempt}
          search={search}
          onChange={(next) =>
            void navigate({ search: (before) => ({ ...before, ...next }), replace: true, resetScroll: false })
          }
        />
      ) : (
        <AttemptLog
          key={`${attempt.id}/${role}/${stream}`}
          attempt={attempt}
          role={role}
          stream={stream}
          streams={streams}
        />
      )}
    </>
  );
}

function Evidence({
  attempt,
  search,
  onChange,
}: {
  attempt: AttemptDetail;
  search: AttemptSearch;
  onChange: (next: Pick<AttemptSearch, 'sort' | 'verdict'>) => void;
}): ReactNode {
  return (
    <>
      <ResultTable attempt={attempt} search={search} onChange={onChange} />
      <AcceptBaseline attempt={attempt} />
      {attempt.kind === 'test' && <AttemptCrashes attempt={attempt} />}
      {attempt.kind === 'test' && <AttemptAlarms attempt={attempt.id} ended={attempt.state === 'ended'} />}
      <KernelTable attempt={attempt} />
      <MeasurementTable attempt={attempt} />
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

/**
 * Whose streams are shown: as the address says, else those of the participant whose failure counts; `*` = all of them by time.
 * Undefined in an attempt with one participant.
 */
function shownRole({ participants, failure }: AttemptDetail, wanted: string | undefined): string | undefined {
  if (participants.length === 1) return undefined;
  const known = participants.map(({ role }) => role);
  return [wanted, failure?.role].find((role) => role === '*' || known.includes(role ?? '')) ?? known[0];
}

/** Chooses whose streams are shown. */
function RoleChoice({ attempt, role, isLog }: { attempt: AttemptDetail; role: string; isLog: boolean }): ReactNode {
  return (
    <nav className="tabs" aria-label="Whose streams are shown">
      {attempt.participants.map((each) => (
        <Link
          key={each.role}
          from={route.id}
          to="."
          search={(before) => ({ ...before, role: each.role, line: undefined, to: undefined })}
          aria-current={each.role === role ? 'page' : undefined}
          className={each.role === role ? 'tab tab-open' : 'tab'}
        >
          {each.role} <span className="muted">{each.machine}</span>
        </Link>
      ))}
      {isLog && (
        <Link
          from={route.id}
          to="."
          search={(before) => ({ ...before, role: '*', stream: 'all' as const, line: undefined, to: undefined })}
          aria-current={role === '*' ? 'page' : undefined}
          className={role === '*' ? 'tab tab-open' : 'tab'}
        >
          all machines by time
        </Link>
      )}
    </nav>
  );
}

/** Streams that the attempt has or will have, the most useful one first; those of all machines together for `*`. */
function orderedStreams(attempt: AttemptDetail, role: string | undefined): AttemptDetail['streams'] {
  const own = attempt.participants.find((each) => each.role === role);
  const had = own?.streams ?? (role === '*' ? attempt.participants.flatMap(({ streams }) => streams) : attempt.streams);
  const expected = STREAMS_OF[attempt.kind];
  const names = [...expected, ...LOG_STREAMS.filter((stream) => !expected.includes(stream))];
  return names.flatMap((stream) => {
    const known = had.find((each) => each.stream === stream);
    if (known !== undefined) return [known];
    return expected.includes(stream) ? [{ stream, lines: 0, expected: null, bytes: 0, removedAt: null }] : [];
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
