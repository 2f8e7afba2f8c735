import { useId, useState, type ReactNode } from 'react';
import { setField, setOnTop } from './form-model.js';

/** Where a kernel's tree comes from, and the series on top of it. */
export function GitFields({
  yaml,
  index,
  git: { url, ref },
  onTop,
  repositories,
  onChange,
}: {
  yaml: string;
  /** Of the build. */
  index: number;
  git: { url: string; ref: string };
  /** The series on top, in words; empty = none. */
  onTop: string;
  /** Those that builders fetch from. */
  repositories: readonly string[];
  onChange: (yaml: string) => void;
}): ReactNode {
  const list = useId();
  const [problem, setProblem] = useState<string | null>(null);
  const number = index + 1;
  const add = async (file: File): Promise<void> => {
    // Only who adds a series loads what reads it.
    const [{ addMbox }, mbox] = await Promise.all([import('./add-mbox.js'), file.text()]);
    const added = addMbox(yaml, file.name, mbox, index);
    setProblem(added.ok ? null : added.why);
    if (added.ok) onChange(added.yaml);
  };
  return (
    <div className="form-git">
      <input
        type="url"
        aria-label={`repository of build ${number}`}
        placeholder="https://host/path/linux.git"
        list={list}
        value={url}
        spellCheck={false}
        onChange={({ target }) => onChange(setField(yaml, ['builds', index, 'git', 'url'], target.value))}
      />
      <datalist id={list}>
        {repositories.map((each) => (
          <option key={each} value={each} />
        ))}
      </datalist>
      <input
        type="text"
        aria-label={`branch, tag or commit of build ${number}`}
        placeholder="branch, tag or commit"
        value={ref}
        spellCheck={false}
        onChange={({ target }) => onChange(setField(yaml, ['builds', index, 'git', 'ref'], target.value))}
      />
      <span className="row tight">
        <span className="muted">{onTop === '' ? 'no series on top' : `with ${onTop}`}</span>
        {onTop === '' ? (
          <button type="button" className="quiet" onClick={() => onChange(setOnTop(yaml, index, 'bundled'))}>
            + bundled series
          </button>
        ) : (
          <button type="button" className="quiet" onClick={() => onChange(setOnTop(yaml, index, 'nothing'))}>
            without series
          </button>
        )}
        <label className="button">
          + series (mbox)
          <input
            type="file"
            className="unseen"
            accept=".mbox,.mbx,.patch,.eml,.txt"
            aria-label={`series on top of build ${number}`}
            onChange={({ target }) => {
              const [file] = target.files ?? [];
              if (file !== undefined) void add(file);
              target.value = '';
            }}
          />
        </label>
      </span>
      {problem !== null && <p className="form-problem">{problem}</p>}
    </div>
  );
}
