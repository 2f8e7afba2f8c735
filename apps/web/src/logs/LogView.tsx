import type { AttemptSummary, LogStream, StageLines } from '@peerlab/contracts';
import {
  useEffect,
  useEffectEvent,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
  type ReactNode,
} from 'react';
import { useKeys } from '../keys.js';
import { countOf, countText } from '../ui/numbers.js';
import { REM_PX } from '../ui/root-font.js';
import { ErrorNotice } from '../ui/section.js';
import { isErrorLine } from './alarm.js';
import { firstProblem } from './first-problem.js';
import { firstFrom, hitsText, type Hits } from './hits.js';
import { HitStrip } from './HitStrip.js';
import type { LogStore } from './log-store.js';
import { LogRows } from './LogRows.js';
import { LogTools, type LogOptions } from './LogTools.js';
import { LongList, longScale } from './long-scroll.js';
import { allRows, firstLine, foldedAtFirst, hitRows, stageRows, stageSpans, streamSpans } from './row-map.js';
import { useFinder } from './use-finder.js';
import { useHitSteps } from './use-hit-steps.js';
import { useLogSearch } from './use-log-search.js';
import { emptyText } from './use-log-store.js';

/** Height of a line in pixels; must equal --log-line in styles/logs.css. */
const LINE_PX = 1.125 * REM_PX;
/** Distance from the end, in pixels, within which the view counts as following. */
const FOLLOW_PX = 40;

export interface MarkedLines {
  /** From 1, both ends included. */
  first: number;
  last: number;
}

interface LogViewProps {
  attemptId: string;
  /** Whose log; undefined = that of the first participant, or of all of them. */
  role?: string | undefined;
  store: LogStore;
  /** Number of lines that were known before the store fetched any. */
  lines: number;
  /** Whether the attempt has ended: then its log opens at its first problem. */
  hasEnded: boolean;
  /** Stages that fold. */
  stages: AttemptSummary['stages'];
  /** Of a log of one stream: their first lines; null while those are not known, and in a merged log. */
  starts?: StageLines['stages'] | null;
  marked: MarkedLines | null;
  onMark: (stream: LogStream, marked: MarkedLines, role: string | undefined) => void;
  options: LogOptions;
  onOptions: (next: LogOptions) => void;
}

/**
 * A log of any number of lines, fetched by range as they come into view. While the view is at the end it follows the tail;
 * scrolled up it pauses and counts what arrives.
 */
export function LogView(props: LogViewProps): ReactNode {
  const { attemptId, role, store, lines, hasEnded, stages, starts = null, marked, onMark, options, onOptions } = props;
  const version = useSyncExternalStore(store.subscribe, store.version);
  const total = store.total();
  const query = useMemo(
    () => ({ text: options.q ?? '', isRegex: options.regex === 'on', isCaseSensitive: options.case === 'on' }),
    [options.q, options.regex, options.case],
  );
  /** Number of lines when the person left the end; null while following. */
  const [pausedAt, setPausedAt] = useState<number | null>(marked === null ? null : lines);
  const [found, setFound] = useState<number | null>(null);
  const [folded, setFolded] = useState(() => foldedAtFirst(stages));
  const [target, setTarget] = useState<{ line: number } | null>(null);
  const frame = useRef<HTMLDivElement>(null);
  /** Whether the person did anything here. */
  const hasActed = useRef(false);
  const [list] = useState(() => new LongList(LINE_PX));
  const { from, to, startPx, first, heightPx } = useSyncExternalStore(list.subscribe, list.view);
  const seen = Math.ceil(heightPx / LINE_PX);
  useLayoutEffect(() => list.attach(frame.current), [list]);

  const spans = useMemo(
    () =>
      starts !== null
        ? streamSpans(stages, starts, total)
        : version >= 0 && store.stream === 'all'
          ? stageSpans(stages, store)
          : [],
    [stages, starts, store, total, version],
  );
  const allLines = useMemo(
    () => (spans.length > 0 ? stageRows(spans, folded, total) : allRows(total)),
    [spans, folded, total],
  );
  const showsHits = options.hits === 'on' && query.text !== '';
  const jump = (line: number): void => {
    setPausedAt((before) => before ?? store.total());
    const span = spans.find((each) => each.from <= line && line < each.to);
    if (span !== undefined) setFolded((before) => new Set([...before].filter((stage) => stage !== span.stage)));
    setFound(line);
    setTarget({ line });
  };
  /** Where a step in a direction begins. */
  const here = (direction: 1 | -1, hits: Hits): number =>
    found ?? firstLine(showsHits ? hitRows(hits) : allLines, list.first()) - (direction === 1 ? 1 : 0);
  const steps = useHitSteps(here, jump);
  const search = useLogSearch(store, query, () => list.first(), steps.onFound);
  const rows = useMemo(() => (showsHits ? hitRows(search.hits) : allLines), [showsHits, search.hits, allLines]);
  const isWrapped = options.wrap === 'on';
  // Wrapped lines are higher: the last one can be scrolled to the top.
  const count = rows.count + (isWrapped ? Math.max(0, seen - 1) : 0);
  useLayoutEffect(() => list.setCount(count), [list, count]);
  useEffect(() => {
    // For chunks that the store has, this does nothing; the text of hits came with the search.
    if (version < 0 || to <= from || showsHits) return;
    const last = rows.at(Math.min(to, rows.count) - 1);
    const begin = rows.at(Math.min(from, rows.count - 1));
    if (typeof begin === 'number' && typeof last === 'number' && rows.count > 0) store.ensure(begin, last);
  }, [store, version, from, to, rows, showsHits]);

  const [settled, setSettled] = useState<typeof starts>(null);
  if (starts !== settled) {
    // It became known where stages begin: what the reader looks at must not vanish below a folded one.
    setSettled(starts);
    const wanted = found !== null ? { first: found + 1, last: found + 1 } : marked;
    if (wanted !== null) {
      const hidden = new Set(
        spans.filter((span) => span.from < wanted.last && wanted.first <= span.to).map(({ stage }) => stage),
      );
      setFolded((before) => new Set([...before].filter((stage) => !hidden.has(stage))));
      setTarget({ line: wanted.first - 1 });
    }
  }

  const isFollowing = pausedAt === null;
  useEffect(() => {
    if (isFollowing && count > 0) list.scrollToLine(count - 1, 'end');
  }, [isFollowing, count, list]);

  const show = useEffectEvent((line: number) => list.scrollToLine(rows.rowOf(line), 'center'));
  useEffect(() => {
    // After the stage of the line was unfolded.
    if (target !== null) show(target.line);
  }, [target]);

  const isReady = total > 0;
  const [opened, setOpened] = useState<string | null>(null);
  const open = useEffectEvent((signal: AbortSignal) => {
    if (marked !== null) show(Math.min(marked.first, store.total()) - 1);
    else if (hasEnded && query.text === '') {
      void firstProblem(store, signal)
        .catch(() => null)
        .then((problem) => {
          // A person who scrolled or searched meanwhile is left alone.
          if (problem === null || signal.aborted || hasActed.current) return;
          if (problem.text !== '') setOpened(problem.text);
          if (problem.line !== null) jump(problem.line);
        });
    }
  });
  useEffect(() => {
    // Only once the total is known: a later mark comes from a click on a visible line and must not scroll.
    const controller = new AbortController();
    if (isReady) open(controller.signal);
    return () => controller.abort();
  }, [isReady]);

  const finder = useFinder(store, jump);
  const findError = (direction: 1 | -1): void =>
    finder.run(here(direction, search.hits) + direction, direction, (text, stream) => isErrorLine(stream, text));
  const follow = (): void => {
    setFound(null);
    setPausedAt(null);
    if (count > 0) list.scrollToLine(count - 1, 'end');
  };
  useKeys({ nextError: () => findError(1), previousError: () => findError(-1), follow });

  const place = found === null ? -1 : firstFrom(search.hits, found);
  const error = store.error();
  const newLines = pausedAt === null ? 0 : Math.max(0, total - pausedAt);
  const isDone = store.complete();
  const shownRows = (
    <LogRows
      store={store}
      version={version}
      rows={rows}
      from={isWrapped ? (isFollowing ? Math.max(0, rows.count - seen) : first) : from}
      to={Math.min(rows.count, isWrapped && !isFollowing ? first + seen : to)}
      query={query}
      kept={search.lines}
      found={found}
      marked={store.stream === 'all' ? null : marked}
      showTime={options.time === 'on'}
      onMark={onMark}
      onFold={(stage) =>
        setFolded((before) => {
          const next = new Set(before);
          if (!next.delete(stage)) next.add(stage);
          return next;
        })
      }
    />
  );
  return (
    <div className={isWrapped ? 'log log-wrapped' : 'log'} onKeyDown={() => (hasActed.current = true)}>
      <LogTools
        attemptId={attemptId}
        role={role}
        stream={store.stream === 'all' ? undefined : store.stream}
        options={options}
        onOptions={(next) => {
          hasActed.current = true;
          onOptions(next);
        }}
        problem={search.problem}
        found={
          query.text === '' || search.problem !== null
            ? null
            : hitsText({
                count: search.hits.length,
                place: search.hits[place] === found && found !== null ? place : null,
                share: search.share,
                hasWrapped: steps.hasWrapped,
              })
        }
        onFind={(direction, isTyped) => steps.step(direction, search, isTyped)}
        onError={findError}
        status={[finder.status ?? opened, heldText(store, hasEnded, isFollowing, newLines)].filter(Boolean).join(' · ')}
      />
      {error !== null && <ErrorNotice error={error} retry={store.refresh} />}
      <div className="log-body">
        <div
          ref={frame}
          className="log-frame"
          tabIndex={0}
          role="region"
          aria-label={`${store.stream} log`}
          onWheel={() => (hasActed.current = true)}
          onPointerDown={() => (hasActed.current = true)}
          onScroll={(event) => {
            const moved = list.noteScroll();
            const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
            // The event of a jump comes after it and is no wish of the person: neither that of a jump to the end, from which
            // lines may have moved the end away, nor that of a jump elsewhere.
            if (moved > 0 && scrollHeight - scrollTop - clientHeight < FOLLOW_PX) setPausedAt(null);
            else if (moved < 0) setPausedAt((before) => before ?? total);
          }}
        >
          {total === 0 && <p className="muted log-empty">{emptyText(store)}</p>}
          <div style={{ height: longScale(count, LINE_PX).canvas }} className="log-canvas">
            {isWrapped ? (
              <div className={isFollowing ? 'log-window log-window-end' : 'log-window'} style={{ height: heightPx }}>
                {shownRows}
              </div>
            ) : (
              <div className="log-rows" style={{ transform: `translateY(${startPx}px)` }}>
                {shownRows}
              </div>
            )}
          </div>
        </div>
        <HitStrip hits={search.hits} total={total} />
      </div>
      {!isFollowing && total > 0 && (
        <button type="button" className="log-latest" onClick={follow}>
          {isDone ? '↓ Jump to the end' : '↓ Jump to latest'}
          {newLines > 0 && <span className="number"> ({countText(newLines)} new)</span>}
        </button>
      )}
    </div>
  );
}

/** What goes on with the log: it ended, it is followed, or it goes on while the reader is elsewhere. */
function heldText(store: LogStore, hasEnded: boolean, isFollowing: boolean, newLines: number): string {
  const lines = countOf(store.total(), 'line');
  if (store.complete()) return `${lines}, ended`;
  if (hasEnded) return `${lines}, ended, the last ones are on their way`;
  if (isFollowing) return `${lines}, following`;
  return newLines === 0 ? `${lines}, paused` : `${lines}, paused, ${countText(newLines)} new`;
}
