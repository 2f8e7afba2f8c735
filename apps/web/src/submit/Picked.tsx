import type { ReactNode } from 'react';

/** Names that were chosen, each with a button that removes it, and a list to add one. */
export function Picked({
  label,
  none,
  all,
  chosen,
  onChange,
}: {
  label: string;
  none: string;
  all: readonly string[];
  chosen: readonly string[];
  onChange: (names: string[]) => void;
}): ReactNode {
  return (
    <div className="row tight">
      {chosen.map((name) => (
        <button
          key={name}
          type="button"
          className="chip chip-button"
          aria-label={`remove ${label} ${name}`}
          onClick={() => onChange(chosen.filter((each) => each !== name))}
        >
          {name} <span aria-hidden="true">×</span>
        </button>
      ))}
      <select
        aria-label={`add a ${label}`}
        value=""
        onChange={({ target }) => target.value !== '' && onChange([...chosen, target.value])}
      >
        <option value="">{chosen.length === 0 ? none : 'add …'}</option>
        {all
          .filter((name) => !chosen.includes(name))
          .map((name) => (
            <option key={name}>{name}</option>
          ))}
      </select>
    </div>
  );
}
