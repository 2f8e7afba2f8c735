import type { LogStream } from '@peerlab/contracts';
import {
  useCallback,
  useEffect,
  useEffectEvent,
  useLayoutEffect,
  useRef,
  useState,
  useSyncExternalStore,
  type MouseEvent,
  type ReactNode,
} from 'react';
import { useKeys } from '../keys.js';
import { countText } from '../ui/numbers.js';
import { REM_PX } from '../ui/root-font.js';
import { ErrorNotice } from '../ui/section.js';
import { isErrorLine } from './alarm.js';
import type { LogStore } from './log-store.js';
import { LogRow } from './LogRow.js';
import { LogTools } from './LogTools.js';
import { LongList, longScale } from './long-scroll.js';
import { plainLine } from './ansi.js';
import { emptyText, useLogStore } from './use-log-store.js';

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
  stream: LogStream;
  /** Number of lines known so far. */
  lines: number;
  marked: MarkedLines | null;
  onMark: (marked: MarkedLines) => void;
}

/**
 * One stream of an attempt: any number of lines, fetched by range as they come into view, following
 * the tail while the view is at the end.
 */
export function LogView({ attemptId, stream, lines, marked, onMark }: LogViewProps): ReactNode {
  const store = useLogStore(attemptId, stream, Math.max(0, (marked?.first ?? lines) - 1));
  const version = useSyncExternalStore(store.subscribe, store.version);
  const total = store.total();
  const [isFollowing, setFollowing] = useState(marked === null);
  const [found, setFound] = useState<number | null>(null);
  const [needle, setNeedle] = useState('');
  const frame = useRef<HTMLDivElement>(null);
  const [list] = useState(() => new LongList(LINE_PX));
  const { from, to, startPx } = useSyncExternalStore(list.subscribe, list.view);
  useLayoutEffect(() => list.attach(frame.current), [list]);
  useLayoutEffect(() => list.setCount(total), [list, total]);
  useEffect(() => {
    // The store drops chunks that were not used for long; for chunks that it has, this does nothing.
    if (version >= 0 && to > from) store.ensure(from, to - 1);
  }, [store, version, from, to]);

  useEffect(() => {
    if (isFollowing && total > 0) list.scrollToLine(total - 1, 'end');
  }, [isFollowing, total, list]);

  const jump = useCallback(
    (seq: number) => {
      setFollowing(false);
      list.scrollToLine(seq, 'center');
    },
    [list],
  );
  const isReady = total > 0;
  const openMarked = useEffectEvent(() => {
    if (marked !== null) list.scrollToLine(Math.min(marked.first, total) - 1, 'center');
  });
  useEffect(() => {
    // Only once the total is known: a later mark comes from a click on a visible line and must not scroll.
    if (isReady) openMarked();
  }, [isReady]);

  const search = useFinder(store, jump, setFound);
  const searchFrom = (direction: 1 | -1): number => {
    if (found !== null) return found + direction;
    return direction === 1 ? list.first() : list.first() - 1;
  };
  const findText = (direction: 1 | -1): void => {
    const lower = needle.toLowerCase();
    if (lower !== '')
      search.run(searchFrom(direction), direction, (text) => plainLine(text).toLowerCase().includes(lower));
  };
  const findError = (direction: 1 | -1): void =>
    search.run(searchFrom(direction), direction, (text) => isErrorLine(stream, text));
  const follow = (): void => {
    setFound(null);
    setFollowing(true);
    if (total > 0) list.scrollToLine(total - 1, 'end');
  };
  useKeys({ nextError: () => findError(1), previousError: () => findError(-1), follow });

  const error = store.error();
  return (
    <div className="log">
      <LogTools
        stream={stream}
        needle={needle}
        onNeedle={(next) => {
          setNeedle(next);
          setFound(null);
        }}
        onFind={findText}
        onError={findError}
        status={search.status ?? heldText(store)}
        attemptId={attemptId}
      />
      {error !== null && <ErrorNotice error={error} retry={store.refresh} />}
      <div
        ref={frame}
        className="log-frame"
        tabIndex={0}
        role="region"
        aria-label={`${stream} log`}
        onScroll={(event) => {
          const isUpward = list.noteScroll();
          const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
          // Lines that arrive between a jump to the end and its event also leave the view short of the
          // end; only a move upwards is the person's wish to stop following.
          if (scrollHeight - scrollTop - clientHeight < FOLLOW_PX) setFollowing(true);
          else if (isUpward) setFollowing(false);
        }}
      >
        {total === 0 && <p className="muted log-empty">{emptyText(store)}</p>}
        <div style={{ height: longScale(total, LINE_PX).canvas }} className="log-canvas">
          <div
            className="log-rows"
            style={{ transform: `translateY(${startPx}px)` }}
            onClick={(event) => {
              const number = clickedLine(event);
              if (number === null) return;
              event.preventDefault();
              const anchor = event.shiftKey && marked !== null ? marked.first : number;
              onMark({ first: Math.min(anchor, number), last: Math.max(anchor, number) });
            }}
          >
            {Array.from({ length: to - from }, (_, place) => from + place).map((index) => (
              <LogRow
                key={index}
                seq={index}
                line={store.line(index)}
                stream={stream}
                needle={needle}
                isFound={index === found}
                isMarked={marked !== null && index + 1 >= marked.first && index + 1 <= marked.last}
              />
            ))}
          </div>
        </div>
      </div>
      {!isFollowing && total > 0 && (
        <button type="button" className="log-latest" onClick={follow}>
          ↓ Jump to latest
        </button>
      )}
    </div>
  );
}

/** Line number, from 1, whose link was clicked; null for a click elsewhere. */
function clickedLine(event: MouseEvent): number | null {
  if (!(event.target instanceof HTMLElement)) return null;
  const { seq } = event.target.dataset;
  return seq === undefined ? null : Number(seq) + 1;
}

function heldText(store: LogStore): string {
  const lines = `${countText(store.total())} lines`;
  return store.complete() ? lines : `${lines}, following`;
}

/** Runs one search at a time; a new one stops the one before. */
function useFinder(
  store: LogStore,
  jump: (seq: number) => void,
  onFound: (seq: number) => void,
): {
  status: string | null;
  run: (start: number, direction: 1 | -1, satisfies: (text: string) => boolean) => void;
} {
  const running = useRef<AbortController | null>(null);
  const [status, setStatus] = useState<string | null>(null);
  useEffect(() => () => running.current?.abort(), []);
  const run = async (start: number, direction: 1 | -1, satisfies: (text: string) => boolean): Promise<void> => {
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    setStatus('searching…');
    const seq = await store.find(start, direction, satisfies, controller.signal);
    if (controller.signal.aborted) return;
    if (seq === null) {
      setStatus(direction === 1 ? 'nothing further below' : 'nothing further above');
      return;
    }
    setStatus(`line ${countText(seq + 1)} of ${countText(store.total())}`);
    onFound(seq);
    jump(seq);
  };
  return { status, run: (start, direction, satisfies) => void run(start, direction, satisfies) };
}
