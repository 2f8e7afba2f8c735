import { useEffect, useRef, useState, type ReactNode } from 'react';

/**
 * A text field bound to the address. It keeps its own text while the user types, because the address follows with a
 * delay, and takes over the text of the address when that changes otherwise.
 */
export function FilterField({
  label,
  value,
  onChange,
  problem,
  placeholder,
  maxLength,
  isMain = true,
}: {
  label: string;
  value: string;
  onChange: (next: string) => void;
  problem?: string | null;
  placeholder?: string;
  maxLength?: number;
  /** Whether the key `/` goes to it. */
  isMain?: boolean;
}): ReactNode {
  const [text, setText] = useState(value);
  const sent = useRef(value);
  useEffect(() => {
    if (value !== sent.current) setText(value);
    sent.current = value;
  }, [value]);
  const change = (next: string): void => {
    setText(next);
    sent.current = next;
    onChange(next);
  };
  const isBad = problem !== undefined && problem !== null;
  return (
    <span className="filter">
      <input
        type="search"
        data-filter={isMain ? true : undefined}
        aria-label={label}
        aria-invalid={isBad}
        placeholder={placeholder ?? label}
        spellCheck={false}
        maxLength={maxLength}
        value={text}
        onChange={(event) => change(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Escape') return;
          if (text === '') event.currentTarget.blur();
          change('');
        }}
      />
      {isBad && (
        <span className="field-problem" role="status">
          {problem}
        </span>
      )}
    </span>
  );
}
