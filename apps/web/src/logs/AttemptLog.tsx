import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import type { AttemptDetail, LogStream } from '@peerlab/contracts';
import { useMemo, type ReactNode } from 'react';
import { stageLinesQuery } from '../api/attempts.js';
import type { AttemptSearch } from '../search.js';
import { LogView, type MarkedLines } from './LogView.js';
import type { Source } from './merged-store.js';
import { useLogStore, useMergedStore } from './use-log-store.js';

const route = getRouteApi('/attempts/$attempt');

/** A log of an attempt as the address says: one stream, or all of them by time, of one machine or of all. */
export function AttemptLog({
  attempt,
  role,
  stream,
  streams,
}: {
  attempt: AttemptDetail;
  /** Whose log; `*` = that of all machines by time; undefined = there is one machine. */
  role: string | undefined;
  stream: LogStream | 'all';
  /** Those of the attempt, or of the machine with this role. */
  streams: AttemptDetail['streams'];
}): ReactNode {
  const names = streams.map((each) => each.stream).join();
  const all = useMemo(() => names.split(',') as LogStream[], [names]);
  if (stream === 'all') return <MergedLog attempt={attempt} role={role} streams={all} />;
  const lines = streams.find((each) => each.stream === stream)?.lines ?? 0;
  return <StreamLog attempt={attempt} role={role} stream={stream} lines={lines} />;
}

function stagesOf(attempt: AttemptDetail, role: string | undefined): AttemptDetail['stages'] {
  // Stages of two machines do not follow each other.
  if (role === '*') return [];
  return attempt.participants.find((each) => each.role === role)?.stages ?? attempt.stages;
}

function StreamLog({
  attempt,
  role,
  stream,
  lines,
}: {
  attempt: AttemptDetail;
  role: string | undefined;
  stream: LogStream;
  /** Number of lines known so far. */
  lines: number;
}): ReactNode {
  const view = useLogAddress();
  const hasEnded = attempt.state === 'ended';
  const store = useLogStore(attempt.id, stream, Math.max(0, (view.marked?.first ?? lines) - 1), hasEnded, role);
  // While it runs, lines and stages come and go; where they belong is asked once, at the end.
  const starts = useQuery({ ...stageLinesQuery(attempt.id, stream, role), enabled: hasEnded });
  return (
    <LogView
      attemptId={attempt.id}
      role={role}
      store={store}
      lines={lines}
      hasEnded={hasEnded}
      stages={stagesOf(attempt, role)}
      starts={starts.data?.stages ?? null}
      {...view}
    />
  );
}

function MergedLog({
  attempt,
  role,
  streams,
}: {
  attempt: AttemptDetail;
  role: string | undefined;
  streams: readonly LogStream[];
}): ReactNode {
  const { without = '' } = route.useSearch();
  const { onOptions } = useLogAddress();
  const hidden = without.split(',');
  const shown = streams.filter((stream) => !hidden.includes(stream));
  const toggle = (stream: LogStream): void => {
    const next = streams.filter((each) => (each === stream) !== hidden.includes(each));
    // The last one stays.
    if (next.length < streams.length) onOptions({ without: next.join(',') || undefined });
  };
  return (
    <>
      <p className="joined log-streams" role="group" aria-label="Streams that are shown">
        {streams.map((stream) => (
          <button
            key={stream}
            type="button"
            className={`stream-${stream}`}
            aria-pressed={!hidden.includes(stream)}
            onClick={() => toggle(stream)}
          >
            {stream}
          </button>
        ))}
      </p>
      {role === '*' && <p className="muted">{axisText(attempt)}</p>}
      <MergedLines key={shown.join()} attempt={attempt} role={role} names={shown.join()} />
    </>
  );
}

/** What the order of lines of several machines is worth. */
function axisText({ participants }: AttemptDetail): string {
  const unknown = participants.filter(({ clock }) => clock === null).map(({ role }) => role);
  if (unknown.length > 0)
    return `The clock of ${unknown.join(' and ')} was not compared with the farm’s: lines of different machines may stand in the wrong order.`;
  const errorMs = participants.reduce((sum, { clock }) => sum + (clock?.errorMs ?? 0), 0);
  return `Times are the farm’s; lines of different machines stand in their order within ${Math.ceil(errorMs)} ms, and each comes a moment after its machine wrote it.`;
}

function MergedLines({
  attempt,
  role,
  names,
}: {
  attempt: AttemptDetail;
  role: string | undefined;
  names: string;
}): ReactNode {
  const clocks = role === '*' ? JSON.stringify(attempt.participants.map((each) => [each.role, each.clock])) : '';
  // Made again only when they change: a store reads all of its lines.
  const sources = useMemo(() => sourcesOf(names.split(',') as LogStream[], role, clocks), [names, role, clocks]);
  const hasEnded = attempt.state === 'ended';
  const store = useMergedStore(attempt.id, sources, hasEnded);
  // A line is marked in its own stream, where its number stays what it is.
  return (
    <LogView
      attemptId={attempt.id}
      role={role === '*' ? undefined : role}
      store={store}
      lines={0}
      hasEnded={hasEnded}
      stages={stagesOf(attempt, role)}
      {...useLogAddress()}
      marked={null}
    />
  );
}

/** @param clocks of all machines, as JSON; empty where one machine's streams are shown */
function sourcesOf(streams: readonly LogStream[], role: string | undefined, clocks: string): Source[] {
  if (clocks === '') return streams.map((stream) => (role === undefined ? { stream } : { stream, role }));
  const sides = JSON.parse(clocks) as [string, AttemptDetail['participants'][number]['clock']][];
  return sides.flatMap(([side, clock]) =>
    streams.map((stream) => ({ stream, role: side, offsetMs: clock?.offsetMs ?? 0 })),
  );
}

/** The parts of the address that concern a log. */
function useLogAddress() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const change = (next: Partial<AttemptSearch>): void =>
    void navigate({
      search: (before) => ({ ...before, view: 'log' as const, ...next }),
      replace: true,
      resetScroll: false,
    });
  const { line, to } = search;
  const marked: MarkedLines | null = line === undefined ? null : { first: line, last: Math.max(line, to ?? line) };
  return {
    marked,
    options: search,
    onOptions: change,
    onMark: (stream: LogStream, { first, last }: MarkedLines, role: string | undefined): void =>
      change({ stream, ...(role === undefined ? {} : { role }), line: first, to: last === first ? undefined : last }),
  };
}
