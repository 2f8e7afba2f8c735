import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import {
  RETENTION_DELETIONS_MAX,
  type Removal,
  type RetentionPlan,
  type RetentionView,
  type StorageLevel,
} from '@peerlab/contracts';
import { useState, type ReactNode } from 'react';
import { retentionApi, retentionPlanQuery, retentionQuery } from '../api/retention.js';
import { runApi } from '../api/runs.js';
import { ConfirmDialog } from '../ui/ConfirmDialog.js';
import { ListTable } from '../ui/ListTable.js';
import { bytesText, countOf, countText } from '../ui/numbers.js';
import { ErrorNotice, Loading, QuerySection, WriteError } from '../ui/section.js';
import { Ago } from '../ui/time.js';
import { StorageBar } from './StorageBar.js';

const LEVELS: Record<StorageLevel, { icon: string; tone: string; text: string }> = {
  ok: { icon: '✓', tone: 'good', text: 'below the soft limit' },
  soft: { icon: '⚠', tone: 'warn', text: 'above the soft limit: the oldest evidence is removed' },
  full: { icon: '✗', tone: 'bad', text: 'full: new runs are refused' },
};

/** Rows shown of a long plan; the rest is counted. */
const ROWS_SHOWN = 200;

/** Retention limits, used space, and what retention would remove now. */
export function RetentionPanel(): ReactNode {
  const query = useQuery(retentionQuery());
  return (
    <QuerySection query={query} what="the retention">
      {(view) => (
        <>
          <Storage view={view} />
          <Plan />
          <Pins pins={view.pins} />
          <Deletions deletions={view.deletions} />
        </>
      )}
    </QuerySection>
  );
}

function Storage({ view }: { view: RetentionView }): ReactNode {
  const { policy, use, level, measuredAt } = view;
  const { icon, tone, text } = LEVELS[level];
  return (
    <section aria-labelledby="storage-head" className="card">
      <div className="row">
        <h2 id="storage-head" className="flat">
          Storage
        </h2>
        <span className={`badge tone-${tone}`}>
          <span aria-hidden="true">{icon}</span> {text}
        </span>
        <span className="muted">
          measured <Ago at={measuredAt} />
        </span>
      </div>
      <StorageBar use={use} policy={policy} />
      <dl className="facts-row">
        {(['user', 'webhook'] as const).map((kind) => (
          <div key={kind}>
            <dt>{kind === 'user' ? 'Runs of people' : 'Runs of webhooks'}</dt>
            <dd className="number">
              logs {countText(policy[kind].logDays)} days, results {countText(policy[kind].resultDays)} days
            </dd>
          </div>
        ))}
        <div>
          <dt>Artifacts</dt>
          <dd className="number">{countText(policy.artifactDays)} days after their last use</dd>
        </div>
      </dl>
      <p className="muted">These are settings of the controller, in its configuration file.</p>
    </section>
  );
}

function Plan(): ReactNode {
  const queries = useQueryClient();
  const plan = useQuery(retentionPlanQuery());
  const [asked, setAsked] = useState(false);
  const run = useMutation({
    mutationFn: () => retentionApi.call('runRetention', {}),
    onSuccess: () => {
      queries.removeQueries({ queryKey: ['retention-plan'] });
      void queries.invalidateQueries({ queryKey: ['retention'] });
    },
  });
  const isFresh = plan.data !== undefined && run.data === undefined;
  return (
    <section aria-labelledby="plan-head">
      <div className="row series-head">
        <h2 id="plan-head">What would be removed now</h2>
        <button
          type="button"
          disabled={plan.isFetching}
          onClick={() => {
            run.reset();
            void plan.refetch();
          }}
        >
          Dry run
        </button>
        {isFresh && plan.data.removals.length > 0 && (
          <button type="button" className="danger" disabled={run.isPending} onClick={() => setAsked(true)}>
            Remove now
          </button>
        )}
      </div>
      {plan.isFetching && <Loading what="the plan" />}
      {plan.error !== null && <ErrorNotice error={plan.error} retry={() => void plan.refetch()} />}
      <WriteError error={run.error} />
      <div role="status">
        {run.data !== undefined && <Outcome plan={run.data} done />}
        {isFresh && !plan.isFetching && <Outcome plan={plan.data} done={false} />}
      </div>
      {plan.data === undefined && run.data === undefined && !plan.isFetching && (
        <p className="muted">
          A dry run removes nothing. The controller also removes old evidence by itself, at regular intervals.
        </p>
      )}
      {asked && isFresh && (
        <ConfirmDialog
          title="Remove this evidence?"
          name={`remove ${plan.data.removals.length}`}
          action="Remove it"
          onConfirm={() => run.mutate()}
          onClose={() => setAsked(false)}
        >
          <p>
            Everything that the dry run lists is removed permanently: {countOf(plan.data.removals.length, 'item')},{' '}
            {bytesText(freedBytes(plan.data))}. The next pass would do the same. Pin a run to keep it.
          </p>
        </ConfirmDialog>
      )}
    </section>
  );
}

const freedBytes = ({ removals }: RetentionPlan): number => removals.reduce((sum, { bytes }) => sum + bytes, 0);

function Outcome({ plan, done }: { plan: RetentionPlan; done: boolean }): ReactNode {
  const { removals } = plan;
  if (removals.length === 0) {
    return <p className="notice notice-quiet">{done ? 'Nothing was removed.' : 'Nothing would be removed.'}</p>;
  }
  return (
    <>
      <p className={done ? 'notice notice-quiet' : 'notice notice-warn'}>
        {countOf(removals.length, 'item')} {done ? `${removals.length === 1 ? 'was' : 'were'} removed` : 'would go'},{' '}
        {bytesText(freedBytes(plan))}; used afterwards: {bytesText(plan.usedBytesAfter)}.
      </p>
      <RemovalTable removals={removals} />
    </>
  );
}

function RemovalTable({ removals }: { removals: readonly Removal[] }): ReactNode {
  return (
    <>
      <ListTable
        rows={removals.slice(0, ROWS_SHOWN)}
        keyOf={({ kind, subject }) => `${kind} ${subject}`}
        columns={[
          { name: 'What', render: ({ kind }) => kind },
          {
            name: 'Name',
            render: ({ kind, subject, name }) =>
              kind === 'artifact' ? (
                <>
                  {name} <code className="muted">{subject.slice(0, 12)}</code>
                </>
              ) : (
                <Link to="/runs/$run" params={{ run: subject }}>
                  {name}
                </Link>
              ),
          },
          { name: 'Why', render: ({ why }) => why },
          {
            name: 'Lines',
            className: 'number',
            render: ({ kind, lines }) => (kind === 'artifact' ? '–' : countText(lines)),
          },
          { name: 'Size', className: 'number', render: ({ bytes }) => bytesText(bytes) },
          { name: 'Last used', render: ({ lastUsedAt }) => <Ago at={lastUsedAt} /> },
        ]}
      />
      {removals.length > ROWS_SHOWN && (
        <p className="muted">and {countText(removals.length - ROWS_SHOWN)} more; peerlab retention plan lists all.</p>
      )}
    </>
  );
}

function Pins({ pins }: { pins: RetentionView['pins'] }): ReactNode {
  const queries = useQueryClient();
  const [asked, setAsked] = useState<RetentionView['pins'][number] | null>(null);
  const unpin = useMutation({
    mutationFn: (run: string) => runApi.call('pinRun', { params: { run }, body: { pinned: false } }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['retention'] }),
  });
  return (
    <section aria-labelledby="pins-head">
      <h2 id="pins-head">Pinned runs</h2>
      <WriteError error={unpin.error} />
      <ListTable
        rows={pins}
        keyOf={(pin) => pin.run}
        columns={[
          {
            name: 'Run',
            render: (pin) => (
              <Link to="/runs/$run" params={{ run: pin.run }} className="strong">
                {pin.name}
              </Link>
            ),
          },
          { name: 'By', render: (pin) => pin.by },
          { name: 'Reason', render: (pin) => pin.reason ?? <span className="muted">none given</span> },
          { name: 'Pinned', render: (pin) => <Ago at={pin.pinnedAt} /> },
          {
            name: 'Action',
            head: <span className="unseen">Action</span>,
            render: (pin) => (
              <button
                type="button"
                className="danger"
                disabled={unpin.isPending}
                aria-label={`Unpin ${pin.name}`}
                onClick={() => setAsked(pin)}
              >
                Unpin
              </button>
            ),
          },
        ]}
        empty={
          <p className="muted">
            None. <code>peerlab retention pin RUN</code> keeps a run with all its evidence.
          </p>
        }
      />
      {asked !== null && (
        <ConfirmDialog
          title="Unpin this run?"
          name={asked.name}
          action="Unpin it"
          onConfirm={() => unpin.mutate(asked.run)}
          onClose={() => setAsked(null)}
        >
          <p>
            Retention may remove the evidence of <strong>{asked.name}</strong> at its next pass if it is old enough.
          </p>
        </ConfirmDialog>
      )}
    </section>
  );
}

function Deletions({ deletions }: { deletions: RetentionView['deletions'] }): ReactNode {
  if (deletions.length === 0) return null;
  return (
    <section aria-labelledby="deletions-head">
      <h2 id="deletions-head">Removed lately</h2>
      <ListTable
        rows={deletions}
        keyOf={({ removedAt, kind, subject }) => `${removedAt} ${kind} ${subject}`}
        columns={[
          { name: 'Removed', render: ({ removedAt }) => <Ago at={removedAt} /> },
          { name: 'What', render: ({ kind }) => kind },
          { name: 'Name', render: ({ name }) => name },
          { name: 'Why', render: ({ why }) => why },
          { name: 'Size', className: 'number', render: ({ bytes }) => bytesText(bytes) },
        ]}
      />
      {deletions.length >= RETENTION_DELETIONS_MAX && (
        <p className="muted">The newest {RETENTION_DELETIONS_MAX} removals; older ones are not listed.</p>
      )}
    </section>
  );
}
