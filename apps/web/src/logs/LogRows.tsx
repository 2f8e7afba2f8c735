import { useMemo, type MouseEvent, type ReactNode } from 'react';
import type { LogLine, LogStream } from '@peerlab/contracts';
import { countText } from '../ui/numbers.js';
import { StateBadge } from '../ui/verdict.js';
import { plainLine } from './ansi.js';
import type { LogStore } from './log-store.js';
import { LogRow } from './LogRow.js';
import type { MarkedLines } from './LogView.js';
import type { LogQuery } from './query.js';
import type { RowMap, StageHead } from './row-map.js';
import { useRanges } from './use-log-search.js';

interface LogRowsProps {
  store: LogStore;
  /** Changes with every change of the store. */
  version: number;
  rows: RowMap;
  /** Half-open range of rows. */
  from: number;
  to: number;
  query: LogQuery;
  /** Lines that a search kept, for those that the store does not hold. */
  kept: ReadonlyMap<number, LogLine>;
  found: number | null;
  marked: MarkedLines | null;
  showTime: boolean;
  onMark: (stream: LogStream, marked: MarkedLines, role: string | undefined) => void;
  onFold: (stage: string) => void;
}

/** The rows of a log that are drawn: lines, and the heads of stages. */
export function LogRows(props: LogRowsProps): ReactNode {
  const { store, version, rows, from, to, query, kept, found, marked, showTime, onMark, onFold } = props;
  const shown = useMemo(
    () =>
      Array.from({ length: Math.max(0, to - from) }, (_, place) => {
        const what = rows.at(from + place);
        if (typeof what !== 'number') return what;
        const held = store.line(what);
        return { index: what, line: held ?? kept.get(what), ...store.origin(what) };
      }),
    // oxlint-disable-next-line react/exhaustive-deps -- the store is the same; its version says when to read it again
    [rows, from, to, store, kept, version],
  );
  const texts = useMemo(
    () =>
      new Map(
        query.text === ''
          ? []
          : shown.flatMap((row) =>
              'index' in row && typeof row.line === 'object' ? [[row.index, plainLine(row.line.text)] as const] : [],
            ),
      ),
    [shown, query.text],
  );
  const ranges = useRanges(query, texts);
  const click = (event: MouseEvent): void => {
    const number = clickedLine(event);
    if (number === null) return;
    event.preventDefault();
    const { line, stream, role } = number;
    const anchor = event.shiftKey && marked !== null ? marked.first : line;
    onMark(stream, { first: Math.min(anchor, line), last: Math.max(anchor, line) }, role);
  };
  return (
    <div onClick={click}>
      {shown.map((row) =>
        'index' in row ? (
          <LogRow
            key={row.index}
            seq={row.seq}
            line={row.line}
            stream={row.stream}
            role={row.role}
            ranges={ranges.get(row.index)}
            isFound={row.index === found}
            isMarked={marked !== null && row.index + 1 >= marked.first && row.index + 1 <= marked.last}
            showStream={store.stream === 'all'}
            showTime={showTime}
          />
        ) : (
          <StageRow key={row.stage} head={row} onFold={onFold} />
        ),
      )}
    </div>
  );
}

function StageRow({ head, onFold }: { head: StageHead; onFold: (stage: string) => void }): ReactNode {
  const { stage, status, lines, isFolded } = head;
  return (
    <div className="log-row log-stage">
      <button type="button" className="quiet" aria-expanded={!isFolded} onClick={() => onFold(stage)}>
        <span aria-hidden="true">{isFolded ? '▸' : '▾'}</span> stage {stage}
      </button>
      <StateBadge state={status} />
      <span className="muted number">
        {countText(lines)} {lines === 1 ? 'line' : 'lines'}
      </span>
    </div>
  );
}

/** The line, from 1, whose number was clicked; null for a click elsewhere. */
function clickedLine({ target }: MouseEvent): { line: number; stream: LogStream; role: string | undefined } | null {
  if (!(target instanceof HTMLElement)) return null;
  const { seq, stream, role } = target.dataset;
  return seq === undefined ? null : { line: Number(seq) + 1, stream: stream as LogStream, role };
}
