import type { LogStream } from '@peerlab/contracts';
import { memo, type ReactNode } from 'react';
import { exactText } from '../ui/time.js';
import { toneOf } from './alarm.js';
import { cleanLine, colouredParts, plainLine } from './ansi.js';
import type { HeldLine } from './log-store.js';

interface LogRowProps {
  seq: number;
  line: HeldLine;
  stream: LogStream;
  needle: string;
  isFound: boolean;
  isMarked: boolean;
  /** Address of the whole log when only a part is shown. */
  page?: string;
}

/** One line: its number as a link, its time in the tooltip, its text. The list handles clicks on the number. */
export const LogRow = memo(function LogRow({
  seq,
  line,
  stream,
  needle,
  isFound,
  isMarked,
  page = '',
}: LogRowProps): ReactNode {
  const classes = ['log-row'];
  if (isMarked) classes.push('log-marked');
  if (isFound) classes.push('log-found');
  if (typeof line === 'object' && line.gap !== undefined) classes.push('log-warning');
  const tone = line === undefined || line === 'gap' ? null : toneOf(stream, line.text);
  if (tone !== null) classes.push(`log-${tone}`);
  return (
    <div className={classes.join(' ')} title={typeof line === 'object' ? exactText(line.at) : undefined}>
      <a
        href={`${page}#L${seq + 1}`}
        className="log-number"
        data-seq={seq}
        tabIndex={-1}
        aria-label={`line ${seq + 1}`}
      >
        {seq + 1}
      </a>
      <LineText line={line} needle={needle} />
    </div>
  );
});

function LineText({ line, needle }: { line: HeldLine; needle: string }): ReactNode {
  if (line === undefined) return <span className="log-text muted">…</span>;
  if (line === 'gap') return <span className="log-text log-gap">this line was lost (gap in the stream)</span>;
  if (line.gap !== undefined) return <span className="log-text log-gap">{line.text}</span>;
  if (line.continues === true) {
    return (
      <>
        <span className="log-continues" title="continues the line above" aria-label="continues the line above">
          ↪
        </span>
        <LineText line={{ seq: line.seq, at: line.at, text: line.text }} needle={needle} />
      </>
    );
  }
  if (needle !== '') {
    const text = plainLine(line.text);
    if (text.toLowerCase().includes(needle.toLowerCase())) {
      return <span className="log-text">{highlighted(text, needle)}</span>;
    }
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

function highlighted(text: string, needle: string): ReactNode[] {
  const parts: ReactNode[] = [];
  const lower = text.toLowerCase();
  const wanted = needle.toLowerCase();
  let from = 0;
  for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, from)) {
    parts.push(text.slice(from, at), <mark key={at}>{text.slice(at, at + wanted.length)}</mark>);
    from = at + wanted.length;
  }
  parts.push(text.slice(from));
  return parts;
}
