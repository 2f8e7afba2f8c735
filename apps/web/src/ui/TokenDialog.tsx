import { useMutation } from '@tanstack/react-query';
import { useState, useSyncExternalStore, type FormEvent, type ReactNode } from 'react';
import { identify } from '../api/client.js';
import { answerTokenQuestion, onTokenChange, tokenQuestion, type TokenQuestion } from '../api/token.js';
import { Dialog } from './dialog.js';

const WHY: Readonly<Record<TokenQuestion, { title: string; text: string }>> = {
  missing: { title: 'Token needed', text: 'This needs a token.' },
  refused: {
    title: 'Token needed',
    text: 'The controller refused the stored token. It may belong to another farm.',
  },
  'sign-in': { title: 'Sign in', text: 'A token says who you are and lets you change things.' },
};

/** Asks for the API token: when a call was answered 401, or by hand. A token that is not accepted stays in the dialog. */
export function TokenDialog(): ReactNode {
  const question = useSyncExternalStore(onTokenChange, tokenQuestion);
  return question === 'closed' ? null : <OpenDialog question={question} />;
}

function OpenDialog({ question }: { question: TokenQuestion }): ReactNode {
  const [text, setText] = useState('');
  const check = useMutation({
    mutationFn: identify,
    onSuccess: ({ problem }, token) => {
      if (problem === null) answerTokenQuestion(token);
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const given = text.trim();
    if (given !== '') check.mutate(given);
  };
  const wrong = check.error?.message ?? check.data?.problem ?? null;
  return (
    <Dialog title={WHY[question].title} onClose={() => answerTokenQuestion(null)}>
      <form onSubmit={submit} className="stack">
        <p>
          {WHY[question].text} <code>npm start</code> prints an address that contains one; the page Admin makes more.
        </p>
        <label>
          Token
          <input
            type="password"
            autoComplete="current-password"
            aria-invalid={wrong !== null}
            value={text}
            onChange={(event) => {
              setText(event.target.value);
              check.reset();
            }}
          />
        </label>
        {wrong !== null && (
          <p className="notice notice-bad" role="alert">
            {wrong}
          </p>
        )}
        <p className="row">
          <button type="submit" className="primary" disabled={check.isPending}>
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
