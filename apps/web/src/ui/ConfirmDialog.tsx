import { useState, type ReactNode } from 'react';
import { Dialog } from './dialog.js';

/** Confirms an action that cannot be undone: the user types the name of its subject. */
export function ConfirmDialog({
  title,
  name,
  action,
  onConfirm,
  onClose,
  children,
}: {
  title: string;
  /** The text to type. */
  name: string;
  /** Label of the button that performs the action. */
  action: string;
  onConfirm: () => void;
  onClose: () => void;
  children: ReactNode;
}): ReactNode {
  const [typed, setTyped] = useState('');
  const matches = typed.trim() === name;
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!matches) return;
          onClose();
          onConfirm();
        }}
      >
        {children}
        <label className="confirm-name">
          <span>
            Type <strong>{name}</strong> to confirm
          </span>
          <input
            type="text"
            autoComplete="off"
            spellCheck={false}
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
          />
        </label>
        <p className="row">
          <button type="submit" className="danger" disabled={!matches}>
            {action}
          </button>
          <button type="button" onClick={onClose}>
            Keep it
          </button>
        </p>
      </form>
    </Dialog>
  );
}
