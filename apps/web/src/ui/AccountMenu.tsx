import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useIdentity } from '../api/identity.js';
import { askForToken, signOut } from '../api/token.js';
import { Popover } from './Popover.js';

/** Who is signed in and what that allows; signs in and out. */
export function AccountMenu(): ReactNode {
  const queries = useQueryClient();
  const { token, data } = useIdentity();
  if (token === null) {
    return (
      <button
        type="button"
        className="quiet"
        title="You are not signed in: you may read what this farm shows to everyone, and change nothing."
        onClick={() => void askForToken('sign-in')}
      >
        Sign in
      </button>
    );
  }
  const leave = (): void => {
    signOut();
    // What only a signed-in person may read does not stay on the page.
    void queries.resetQueries();
  };
  const user = data?.user ?? null;
  return (
    <Popover
      title="Who is signed in"
      button={
        <>
          {user ?? (data?.problem == null ? '…' : <span className="chip chip-warn">token refused</span>)}
          <span className="unseen">, account</span>
        </>
      }
    >
      {data?.problem == null ? (
        <p>
          Signed in as <strong>{user ?? '…'}</strong>. You may read and write: submit, cancel, drain, mark, administer.
        </p>
      ) : (
        <p>{data.problem} You may not write.</p>
      )}
      <p className="row">
        <button type="button" onClick={leave}>
          Sign out
        </button>
        <button type="button" onClick={() => void askForToken('sign-in')}>
          Use another token
        </button>
      </p>
    </Popover>
  );
}
