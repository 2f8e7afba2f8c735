import type { LogStream } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { Download } from '../ui/Download.js';

interface LogToolsProps {
  attemptId: string;
  stream: LogStream;
  needle: string;
  onNeedle: (needle: string) => void;
  onFind: (direction: 1 | -1) => void;
  onError: (direction: 1 | -1) => void;
  status: string;
}

/** Search, error stepping and download of the stream below. */
export function LogTools({ attemptId, stream, needle, onNeedle, onFind, onError, status }: LogToolsProps): ReactNode {
  return (
    <div className="log-tools">
      <input
        type="search"
        data-filter
        aria-label="Search the log"
        placeholder="Search the log   ( / )"
        spellCheck={false}
        value={needle}
        onChange={(event) => onNeedle(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter') onFind(event.shiftKey ? -1 : 1);
          if (event.key === 'Escape') event.currentTarget.blur();
        }}
      />
      <span className="joined">
        <button type="button" onClick={() => onFind(-1)} disabled={needle === ''} aria-label="previous match">
          ↑
        </button>
        <button type="button" onClick={() => onFind(1)} disabled={needle === ''} aria-label="next match">
          ↓
        </button>
      </span>
      <span className="joined">
        <button type="button" onClick={() => onError(-1)} title="previous error (p)">
          ↑ error
        </button>
        <button type="button" onClick={() => onError(1)} title="next error (n)">
          ↓ error
        </button>
      </span>
      <span className="muted log-status" role="status">
        {status}
      </span>
      <Download
        className="push"
        route="getRawLog"
        call={{ params: { attempt: attemptId, stream } }}
        fileName={`${stream}.log`}
      >
        Raw
      </Download>
    </div>
  );
}
