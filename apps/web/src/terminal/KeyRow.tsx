import type { ReactNode } from 'react';

/** Keys that the keyboards of phones do not have, and what a terminal sends for them. */
const KEYS = [
  { name: 'Esc', sends: '\u001b' },
  { name: 'Tab', sends: '\t' },
  { name: 'Ctrl+C', sends: '\u0003' },
  { name: 'Ctrl+D', sends: '\u0004' },
  { name: 'Ctrl+Z', sends: '\u001a' },
  { name: '←', sends: '\u001b[D', label: 'left' },
  { name: '↑', sends: '\u001b[A', label: 'up' },
  { name: '↓', sends: '\u001b[B', label: 'down' },
  { name: '→', sends: '\u001b[C', label: 'right' },
] as const satisfies readonly { name: string; sends: string; label?: string }[];

/** Buttons for them, shown where there is no keyboard of one's own. */
export function KeyRow({ isReady, onKey }: { isReady: boolean; onKey: (sends: string) => void }): ReactNode {
  return (
    <div className="terminal-keys" role="group" aria-label="Keys">
      {KEYS.map((key) => (
        <button
          key={key.name}
          type="button"
          disabled={!isReady}
          aria-label={'label' in key ? key.label : undefined}
          // The keyboard of the phone stays where it is.
          onPointerDown={(event) => event.preventDefault()}
          onClick={() => onKey(key.sends)}
        >
          {key.name}
        </button>
      ))}
    </div>
  );
}
