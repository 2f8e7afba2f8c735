import { useState, useSyncExternalStore, type FormEvent, type ReactNode } from 'react';
import { answerTokenQuestion, onTokenChange, tokenQuestion } from '../api/token.js';
import { Dialog } from './dialog.js';

/** Asks for the API token when a call was answered 401. */
export function TokenDialog(): ReactNode {
  const question = useSyncExternalStore(onTokenChange, tokenQuestion);
  const [text, setText] = useState('');
  if (question === 'closed') return null;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const given = text.trim();
    if (given === '') return;
    setText('');
    answerTokenQuestion(given);
  };
  return (
    <Dialog title="Token needed" onClose={() => answerTokenQuestion(null)}>
      <form onSubmit={submit} className="stack">
        <p>
          {question === 'refused'
            ? 'The controller refused the stored token. It may belong to another farm.'
            : 'This needs a token.'}{' '}
          <code>npm start</code> prints an address that contains one.
        </p>
        <label>
          Token
          <input
            type="password"
            autoComplete="current-password"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </label>
        <p className="row">
          <button type="submit" className="primary">
            Continue
          </button>
          <button type="button" onClick={() => answerTokenQuestion(null)}>
            Not now
          </button>
        </p>
      </form>
    </Dialog>
  );
}
