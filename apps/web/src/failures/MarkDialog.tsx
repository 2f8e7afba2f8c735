import { KNOWN_DAYS_MAX } from '@peerlab/contracts';
import { useState, type FormEvent, type ReactNode } from 'react';
import { Dialog } from '../ui/dialog.js';
import { dayAfter, endOfDay } from './days.js';

/** Days for which a failure is marked unless the person says otherwise. */
const USUAL_DAYS = 30;

/** Asks why a failure is known and until when it counts as known. */
export function MarkDialog({
  title = 'Mark this failure as known?',
  what,
  children,
  onConfirm,
  onClose,
}: {
  /** What fails: a test, or a stage of an attempt. */
  what: string;
  title?: string;
  /** Said instead of what a mark on one failure does. */
  children?: ReactNode;
  onConfirm: (given: { reason: string; until: string }) => void;
  onClose: () => void;
}): ReactNode {
  const [now] = useState(() => Date.now());
  const [reason, setReason] = useState('');
  const [day, setDay] = useState(dayAfter(now, USUAL_DAYS));
  const until = endOfDay(day);
  const isReady = reason.trim() !== '' && until !== null;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (reason.trim() === '' || until === null) return;
    onClose();
    onConfirm({ reason: reason.trim(), until });
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit} className="stack">
        <p>
          {children ?? (
            <>
              Wherever <strong>{what}</strong> fails in this way, it shows the mark, with your name. Verdicts stay as
              they are.
            </>
          )}
        </p>
        <label>
          Reason, such as the bug report
          <input
            type="text"
            required
            maxLength={500}
            value={reason}
            onChange={(event) => setReason(event.target.value)}
          />
        </label>
        <label>
          Known until the end of
          <input
            type="date"
            required
            min={dayAfter(now, 0)}
            max={dayAfter(now, KNOWN_DAYS_MAX - 1)}
            value={day}
            onChange={(event) => setDay(event.target.value)}
          />
        </label>
        <p className="row">
          <button type="submit" className="primary" disabled={!isReady}>
            Mark as known
          </button>
          <button type="button" onClick={onClose}>
            Leave it
          </button>
        </p>
      </form>
    </Dialog>
  );
}
