import type { LogStream } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { attemptApi } from '../api/attempts.js';
import type { AttemptSearch } from '../search.js';
import { Download } from '../ui/Download.js';
import { FilterField } from '../ui/FilterField.js';

/** The parts of the address that say how a log is shown. */
export type LogOptions = Pick<AttemptSearch, 'q' | 'regex' | 'case' | 'hits' | 'wrap' | 'time'>;

interface LogToolsProps {
  attemptId: string;
  role: string | undefined;
  /** Absent where several are shown: each has a file of its own. */
  stream: LogStream | undefined;
  options: LogOptions;
  onOptions: (next: LogOptions) => void;
  /** What is wrong with the expression. */
  problem: string | null;
  /** What the search found; null while nothing is searched for. */
  found: string | null;
  /** `isTyped`: the text was typed just now, and is not in the options yet. */
  onFind: (direction: 1 | -1, isTyped: boolean) => void;
  onError: (direction: 1 | -1) => void;
  status: string;
}

/** Search, error stepping, how lines are shown, and download of the log below. */
export function LogTools(props: LogToolsProps): ReactNode {
  const { attemptId, role, stream, options, onOptions, problem, found, onFind, onError, status } = props;
  const hasText = (options.q ?? '') !== '';
  return (
    <div className="log-tools">
      <span
        className="log-search"
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || !(event.target instanceof HTMLInputElement)) return;
          onFind(event.shiftKey ? -1 : 1, event.target.value !== (options.q ?? ''));
        }}
      >
        <FilterField
          label="Search the log"
          placeholder="Search the log   ( / )"
          value={options.q ?? ''}
          problem={problem}
          onChange={(q) => onOptions({ q: q || undefined })}
        />
      </span>
      <span className="joined">
        <Toggle name="case" text="Aa" label="upper and lower case differ" {...{ options, onOptions }} />
        <Toggle name="regex" text=".*" label="regular expression" {...{ options, onOptions }} />
        <Toggle name="hits" text="≡" label="only lines that match" {...{ options, onOptions }} />
      </span>
      <span className="joined">
        <button type="button" onClick={() => onFind(-1, false)} disabled={!hasText} aria-label="previous match">
          ↑
        </button>
        <button type="button" onClick={() => onFind(1, false)} disabled={!hasText} aria-label="next match">
          ↓
        </button>
      </span>
      {found !== null && (
        <span className="muted number" role="status">
          {found}
        </span>
      )}
      <span className="joined">
        <button type="button" onClick={() => onError(-1)} title="previous error (p)">
          ↑ error
        </button>
        <button type="button" onClick={() => onError(1)} title="next error (n)">
          ↓ error
        </button>
      </span>
      <span className="joined">
        <Toggle name="wrap" text="wrap" label="wrap long lines" {...{ options, onOptions }} />
        <Toggle name="time" text="time" label="show the time of each line" {...{ options, onOptions }} />
      </span>
      <span className="muted log-status" role="status">
        {status}
      </span>
      {stream !== undefined && (
        <Download
          className="push"
          api={attemptApi}
          route="getRawLog"
          call={{ params: { attempt: attemptId, stream }, query: { role } }}
          fileName={role === undefined ? `${stream}.log` : `${role}-${stream}.log`}
        >
          Raw
        </Download>
      )}
    </div>
  );
}

function Toggle({
  name,
  text,
  label,
  options,
  onOptions,
}: Pick<LogToolsProps, 'options' | 'onOptions'> & {
  name: 'regex' | 'case' | 'hits' | 'wrap' | 'time';
  text: string;
  label: string;
}): ReactNode {
  const isOn = options[name] === 'on';
  return (
    <button
      type="button"
      aria-pressed={isOn}
      aria-label={label}
      title={label}
      onClick={() => onOptions({ [name]: isOn ? undefined : 'on' })}
    >
      {text}
    </button>
  );
}
