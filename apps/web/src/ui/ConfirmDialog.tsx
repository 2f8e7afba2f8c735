import { useState, type ReactNode } from 'react';
import { Dialog } from './dialog.js';

/** Asks before something that cannot be undone: the person types the name of what is meant. */
export function ConfirmDialog({
  title,
  name,
  action,
  onConfirm,
  onClose,
  children,
}: {
  title: string;
  /** What has to be typed. */
  name: string;
  /** Text of the button that does it. */
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
