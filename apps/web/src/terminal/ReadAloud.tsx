import { useState, type ReactNode } from 'react';

const STORAGE_KEY = 'peerlab.terminal.aloud';

/** Whether screen readers read what a terminal prints, as it was chosen last. */
export function isReadAloud(): boolean {
  try {
    return localStorage.getItem(STORAGE_KEY) === 'on';
  } catch {
    return false; // Storage may be forbidden.
  }
}

/** Chooses it, for this page and the next ones. */
export function ReadAloud({ onChange }: { onChange: (isOn: boolean) => void }): ReactNode {
  const [isOn, setOn] = useState(isReadAloud);
  const choose = (next: boolean): void => {
    setOn(next);
    onChange(next);
    try {
      localStorage.setItem(STORAGE_KEY, next ? 'on' : 'off');
    } catch {
      // The choice then lasts as long as the page.
    }
  };
  return (
    <label className="terminal-aloud" title="Screen readers read what is printed. It takes the browser more time.">
      <input type="checkbox" checked={isOn} onChange={(event) => choose(event.target.checked)} />
      read aloud
    </label>
  );
}
