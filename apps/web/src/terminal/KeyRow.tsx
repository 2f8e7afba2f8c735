import type { ReactNode } from 'react';

/** Keys that the keyboards of phones do not have: what a terminal sends for them, or the arrow that it is. */
const KEYS = [
  { name: 'Esc', sends: '\u001b' },
  { name: 'Tab', sends: '\t' },
  { name: 'Ctrl+C', sends: '\u0003' },
  { name: 'Ctrl+D', sends: '\u0004' },
  { name: 'Ctrl+Z', sends: '\u001a' },
  { name: '←', arrow: 'D', label: 'left' },
  { name: '↑', arrow: 'A', label: 'up' },
  { name: '↓', arrow: 'B', label: 'down' },
  { name: '→', arrow: 'C', label: 'right' },
] as const satisfies readonly { name: string; sends?: string; arrow?: string; label?: string }[];
export type Key = (typeof KEYS)[number];

/** Buttons for them, shown where there is no keyboard of one's own. */
export function KeyRow({ isReady, onKey }: { isReady: boolean; onKey: (key: Key) => void }): ReactNode {
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
          onClick={() => onKey(key)}
        >
          {key.name}
        </button>
      ))}
    </div>
  );
}
