import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { CreatedToken, NewToken, TokenView } from '@peerlab/contracts';
import { useState, type ReactNode } from 'react';
import { tokenApi, tokensQuery } from '../api/tokens.js';
import { ConfirmDialog } from '../ui/ConfirmDialog.js';
import { CopyButton } from '../ui/copy.js';
import { ListTable } from '../ui/ListTable.js';
import { QuerySection, WriteError } from '../ui/section.js';
import { Ago } from '../ui/time.js';

/** Tokens of users and agents: created here, shown once, revoked permanently. */
export function TokensPanel(): ReactNode {
  const query = useQuery(tokensQuery());
  return (
    <>
      <NewTokenForm />
      <QuerySection query={query} what="the tokens">
        {(tokens) => <TokenTable tokens={tokens} />}
      </QuerySection>
    </>
  );
}

function NewTokenForm(): ReactNode {
  const queries = useQueryClient();
  const [kind, setKind] = useState<NewToken['kind']>('user');
  const [name, setName] = useState('');
  // The secret is kept only here, neither in the query cache nor in the address.
  const create = useMutation({
    mutationFn: () => tokenApi.call('createToken', { body: { kind, name: name.trim() } }),
    onSuccess: () => {
      setName('');
      void queries.invalidateQueries({ queryKey: ['tokens'] });
    },
    gcTime: 0,
  });
  return (
    <section aria-labelledby="new-token-head" className="card">
      <h2 id="new-token-head">Create a token</h2>
      <form
        className="row new-token"
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate();
        }}
      >
        <label>
          <span>For</span>
          <select value={kind} onChange={(event) => setKind(event.target.value === 'agent' ? 'agent' : 'user')}>
            <option value="user">a user: may do everything</option>
            <option value="agent">an agent: its channel and artifacts</option>
          </select>
        </label>
        <label>
          <span>Name</span>
          <input
            type="text"
            required
            maxLength={64}
            autoComplete="off"
            spellCheck={false}
            placeholder={kind === 'agent' ? 'name of the agent' : 'name of the person'}
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </label>
        <button type="submit" className="primary" disabled={name.trim() === '' || create.isPending}>
          Create
        </button>
      </form>
      <WriteError error={create.error} />
      <div role="status">
        {create.data !== undefined && <Secret created={create.data} onDone={() => create.reset()} />}
      </div>
    </section>
  );
}

function Secret({ created, onDone }: { created: CreatedToken; onDone: () => void }): ReactNode {
  const { token, secret } = created;
  return (
    <div className="notice notice-warn secret">
      <p>
        <strong>
          Token of the {token.kind} {token.name}. It is shown only once.
        </strong>{' '}
        The farm stores only its hash.
      </p>
      <p className="row">
        <code>{secret}</code>
        <CopyButton text={secret} label="copy the token">
          Copy
        </CopyButton>
        <button type="button" onClick={onDone}>
          Done, hide it
        </button>
      </p>
    </div>
  );
}

function TokenTable({ tokens }: { tokens: readonly TokenView[] }): ReactNode {
  const queries = useQueryClient();
  const [asked, setAsked] = useState<TokenView | null>(null);
  const revoke = useMutation({
    mutationFn: (token: string) => tokenApi.call('revokeToken', { params: { token } }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['tokens'] }),
  });
  return (
    <section aria-labelledby="tokens-head">
      <h2 id="tokens-head">Tokens</h2>
      <WriteError error={revoke.error} />
      <ListTable
        rows={tokens}
        keyOf={(token) => token.id}
        rowClass={(token) => (token.revokedAt === null ? '' : 'over')}
        columns={[
          { name: 'Name', className: 'strong', render: (token) => token.name },
          { name: 'Kind', render: (token) => token.kind },
          { name: 'Created', render: (token) => <Ago at={token.createdAt} /> },
          {
            name: 'Last used',
            render: (token) =>
              token.lastUsedAt === null ? <span className="muted">never</span> : <Ago at={token.lastUsedAt} />,
          },
          {
            name: 'State',
            render: (token) =>
              token.revokedAt !== null ? (
                <span className="muted">
                  revoked <Ago at={token.revokedAt} />
                </span>
              ) : token.current ? (
                <span className="chip" title="a token cannot revoke itself">
                  in use here
                </span>
              ) : (
                <button
                  type="button"
                  className="danger"
                  aria-label={`Revoke the token of ${token.kind} ${token.name}`}
                  disabled={revoke.isPending}
                  onClick={() => setAsked(token)}
                >
                  Revoke
                </button>
              ),
          },
        ]}
      />
      {asked !== null && (
        <ConfirmDialog
          title="Revoke this token?"
          name={asked.name}
          action="Revoke it"
          onConfirm={() => revoke.mutate(asked.id)}
          onClose={() => setAsked(null)}
        >
          <p>
            Requests with the {asked.kind} token <strong>{asked.name}</strong> are refused from now on. A revoked token
            cannot be restored; create another one instead.
            {asked.kind === 'agent' &&
              ' An agent that is connected with it is disconnected within seconds, and its jobs go to other agents.'}
          </p>
        </ConfirmDialog>
      )}
    </section>
  );
}
