import type { LogStream } from '@peerlab/contracts';
import { useEffect, useLayoutEffect, useRef, useState, useSyncExternalStore, type ReactNode } from 'react';
import { useKeys, withKeys } from '../keys.js';
import { countText } from '../ui/numbers.js';
import { ErrorNotice } from '../ui/section.js';
import { LogRow } from './LogRow.js';
import { emptyText, useLogStore } from './use-log-store.js';

/** Lines shown. */
const TAIL_LINES = 200;
/** Distance from the end, in pixels, within which the view counts as following. */
const FOLLOW_PX = 40;

/**
 * The last lines of a stream. It follows the log while it is scrolled to the end; scrolled up, it stays and shows how
 * many lines arrived since. A line number links to that line of `page`, the address of the whole log.
 */
export function TailView({
  attemptId,
  stream,
  role,
  page,
  onOpen,
}: {
  attemptId: string;
  stream: LogStream;
  /** Whose stream; undefined = that of the only participant. */
  role?: string | undefined;
  page: string;
  /** The number of the line, from 1, whose number was clicked. */
  onOpen: (line: number) => void;
}): ReactNode {
  const store = useLogStore(attemptId, stream, 0, false, role);
  const version = useSyncExternalStore(store.subscribe, store.version);
  const total = store.total();
  const frame = useRef<HTMLDivElement>(null);
  const lastTop = useRef(0);
  /** Number of lines when the user scrolled up; null while following. */
  const [heldAt, setHeldAt] = useState<number | null>(null);
  const end = heldAt ?? total;
  const from = Math.max(0, end - TAIL_LINES);
  useEffect(() => {
    if (version >= 0 && end > from) store.ensure(from, end - 1);
  }, [store, version, from, end]);
  useLayoutEffect(() => {
    if (heldAt === null && frame.current !== null) frame.current.scrollTop = frame.current.scrollHeight;
  });
  useKeys({ follow: () => setHeldAt(null) });
  const error = store.error();
  return (
    <div className="log tail">
      {error !== null && <ErrorNotice error={error} retry={store.refresh} />}
      <div
        ref={frame}
        className="log-frame"
        tabIndex={0}
        role="region"
        aria-label={`last lines of the ${stream} log${role === undefined ? '' : ` of ${role}`}`}
        onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
          const isUpward = scrollTop < lastTop.current;
          lastTop.current = scrollTop;
          if (scrollHeight - scrollTop - clientHeight < FOLLOW_PX) setHeldAt(null);
          else if (isUpward) setHeldAt((held) => held ?? total);
        }}
        onClick={(event) => {
          if (!(event.target instanceof HTMLElement) || event.ctrlKey || event.metaKey || event.shiftKey) return;
          const { seq } = event.target.dataset;
          if (seq === undefined) return;
          event.preventDefault();
          onOpen(Number(seq) + 1);
        }}
      >
        {total === 0 && error === null && (
          <p className="muted log-empty">{version === 0 ? 'Looking for lines…' : emptyText(store)}</p>
        )}
        <div className="log-rows">
          {Array.from({ length: end - from }, (_, place) => from + place).map((seq) => (
            <LogRow
              key={seq}
              seq={seq}
              line={store.line(seq)}
              stream={stream}
              isFound={false}
              isMarked={false}
              page={page}
            />
          ))}
        </div>
      </div>
      {heldAt !== null && (
        <button
          type="button"
          className="log-latest"
          title={withKeys('Follow', 'follow')}
          onClick={() => setHeldAt(null)}
        >
          ↓ Jump to latest
          {total > heldAt && <span className="number">({countText(total - heldAt)} new)</span>}
        </button>
      )}
    </div>
  );
}
