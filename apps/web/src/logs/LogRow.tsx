import type { LogStream } from '@peerlab/contracts';
import { memo, type ReactNode } from 'react';
import { exactText } from '../ui/time.js';
import { ktapClass, toneOf } from './alarm.js';
import { cleanLine, colouredParts, plainLine } from './ansi.js';
import type { HeldLine } from './log-store.js';
import { PLACES_MAX, type Ranges } from './query.js';

interface LogRowProps {
  /** Number of the line in its stream, from 0. */
  seq: number;
  line: HeldLine;
  stream: LogStream;
  /** Whose stream, where lines of several participants are shown. */
  role?: string | undefined;
  /** Places that the search found. */
  ranges?: Ranges | undefined;
  isFound: boolean;
  isMarked: boolean;
  /** Names the stream of each line, where there are several. */
  showStream?: boolean;
  showTime?: boolean;
  /** Address of the whole log when only a part is shown. */
  page?: string;
}

/** One line: its number as a link, its time, its text. The list handles clicks on the number. */
export const LogRow = memo(function LogRow({
  seq,
  line,
  stream,
  role,
  ranges,
  isFound,
  isMarked,
  showStream = false,
  showTime = false,
  page = '',
}: LogRowProps): ReactNode {
  const classes = ['log-row'];
  if (isMarked) classes.push('log-marked');
  if (isFound) classes.push('log-found');
  const isHeld = typeof line === 'object';
  if (isHeld && line.gap !== undefined) classes.push('log-warning');
  const tone = isHeld ? toneOf(stream, line.text) : null;
  if (tone !== null) classes.push(`log-${tone}`);
  if (isHeld && stream === 'test') classes.push(ktapClass(plainLine(line.text)));
  return (
    <div className={classes.join(' ')} title={isHeld ? exactText(line.at) : undefined}>
      <a
        href={`${page}#L${seq + 1}`}
        className="log-number"
        data-seq={seq}
        data-stream={stream}
        data-role={role}
        tabIndex={-1}
        aria-label={showStream ? `${role === undefined ? '' : `${role} `}${stream} line ${seq + 1}` : `line ${seq + 1}`}
      >
        {seq + 1}
      </a>
      {role !== undefined && <span className="log-role">{role}</span>}
      {showStream && <span className={`log-stream stream-${stream}`}>{stream}</span>}
      {showTime && <span className="log-time">{isHeld ? timeText(line.at) : ''}</span>}
      <LineText line={line} ranges={ranges} />
    </div>
  );
});

/** Local time of day to the millisecond. */
export function timeText(at: number): string {
  const time = new Date(at);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${String(time.getMilliseconds()).padStart(3, '0')}`;
}

function LineText({ line, ranges }: { line: HeldLine; ranges: Ranges | undefined }): ReactNode {
  if (line === undefined) return <span className="log-text muted">…</span>;
  if (line === 'gap') return <span className="log-text log-gap">this line was lost (gap in the stream)</span>;
  if (line.gap !== undefined) return <span className="log-text log-gap">{line.text}</span>;
  if (line.continues === true) {
    return (
      <>
        <span className="log-continues" title="continues the line above" aria-label="continues the line above">
          ↪
        </span>
        <LineText line={{ seq: line.seq, at: line.at, text: line.text }} ranges={ranges} />
      </>
    );
  }
  if (ranges !== undefined && ranges.length > 0) {
    return (
      <>
        <span className="log-text">{highlighted(plainLine(line.text), ranges.slice(0, PLACES_MAX))}</span>
        {ranges.length > PLACES_MAX && (
          <span className="log-unmarked">only the first {PLACES_MAX} hits of this line are marked</span>
        )}
      </>
    );
  }
  const text = cleanLine(line.text);
  if (text.includes('\u001b')) {
    return (
      <span className="log-text">
        {colouredParts(text).map((part, index) => (
          <span key={index} className={part.className}>
            {part.text}
          </span>
        ))}
      </span>
    );
  }
  return <span className="log-text">{text}</span>;
}

function highlighted(text: string, ranges: Ranges): ReactNode[] {
  const parts: ReactNode[] = [];
  let end = 0;
  for (const [from, to] of ranges) {
    parts.push(text.slice(end, from), <mark key={from}>{text.slice(from, to)}</mark>);
    end = to;
  }
  parts.push(text.slice(end));
  return parts;
}
