import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import type { AttemptDetail, LogStream } from '@peerlab/contracts';
import { useMemo, type ReactNode } from 'react';
import { stageLinesQuery } from '../api/queries.js';
import type { AttemptSearch } from '../search.js';
import { LogView, type MarkedLines } from './LogView.js';
import { useLogStore, useMergedStore } from './use-log-store.js';

const route = getRouteApi('/attempts/$attempt');

/** A log of an attempt as the address says: one stream, or all of them by time. */
export function AttemptLog({
  attempt,
  stream,
  streams,
}: {
  attempt: AttemptDetail;
  stream: LogStream | 'all';
  /** Those of the attempt. */
  streams: AttemptDetail['streams'];
}): ReactNode {
  const names = streams.map((each) => each.stream).join();
  const all = useMemo(() => names.split(',') as LogStream[], [names]);
  if (stream === 'all') return <MergedLog attempt={attempt} streams={all} />;
  const lines = streams.find((each) => each.stream === stream)?.lines ?? 0;
  return <StreamLog attempt={attempt} stream={stream} lines={lines} />;
}

function StreamLog({
  attempt,
  stream,
  lines,
}: {
  attempt: AttemptDetail;
  stream: LogStream;
  /** Number of lines known so far. */
  lines: number;
}): ReactNode {
  const view = useLogAddress();
  const hasEnded = attempt.state === 'ended';
  const store = useLogStore(attempt.id, stream, Math.max(0, (view.marked?.first ?? lines) - 1), hasEnded);
  // While it runs, lines and stages come and go; where they belong is asked once, at the end.
  const starts = useQuery({ ...stageLinesQuery(attempt.id, stream), enabled: hasEnded });
  return (
    <LogView
      attemptId={attempt.id}
      store={store}
      lines={lines}
      hasEnded={hasEnded}
      stages={attempt.stages}
      starts={starts.data?.stages ?? null}
      {...view}
    />
  );
}

function MergedLog({ attempt, streams }: { attempt: AttemptDetail; streams: readonly LogStream[] }): ReactNode {
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
      <MergedLines key={shown.join()} attempt={attempt} names={shown.join()} />
    </>
  );
}

function MergedLines({ attempt, names }: { attempt: AttemptDetail; names: string }): ReactNode {
  const streams = useMemo(() => names.split(',') as LogStream[], [names]);
  const hasEnded = attempt.state === 'ended';
  const store = useMergedStore(attempt.id, streams, hasEnded);
  // A line is marked in its own stream, where its number stays what it is.
  return (
    <LogView
      attemptId={attempt.id}
      store={store}
      lines={0}
      hasEnded={hasEnded}
      stages={attempt.stages}
      {...useLogAddress()}
      marked={null}
    />
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
    onMark: (stream: LogStream, { first, last }: MarkedLines): void =>
      change({ stream, line: first, to: last === first ? undefined : last }),
  };
}
