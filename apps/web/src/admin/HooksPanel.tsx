import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { HookRuleView, HookView, ReportState, ReportView } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { hookApi, hooksQuery, reportsQuery } from '../api/hooks.js';
import { ListTable } from '../ui/ListTable.js';
import { QuerySection, WriteError } from '../ui/section.js';
import { Ago, In } from '../ui/time.js';
import { DeliveriesPanel } from './DeliveriesPanel.js';

/** Webhooks: the rules, and what came in. */
export function HooksPanel(): ReactNode {
  return (
    <>
      <Hooks />
      <DeliveriesPanel />
    </>
  );
}

const STATES: Record<ReportState, { icon: string; tone: string; help: string }> = {
  sent: { icon: '✓', tone: 'good', help: 'the forge was told how the commit stands' },
  waiting: { icon: '…', tone: 'quiet', help: 'the forge is told now' },
  failing: { icon: '⚠', tone: 'warn', help: 'the forge did not take it; it is tried again' },
  'given up': {
    icon: '✗',
    tone: 'bad',
    help: 'the forge did not take it for days; send it again when the reason is gone',
  },
  'not configured': { icon: '–', tone: 'quiet', help: 'the hook has no report in the hooks file' },
};

/** What forges are told of commits. */
export function ReportsPanel(): ReactNode {
  const query = useQuery(reportsQuery());
  return (
    <section aria-labelledby="reports-head">
      <h2 id="reports-head">Reports to forges</h2>
      <p className="muted">
        The newest, as checks, statuses and notes on commits. What a forge did not take is sent again.
      </p>
      <QuerySection query={query} what="the reports">
        {(reports) => <ReportTable reports={reports} />}
      </QuerySection>
    </section>
  );
}

function ReportTable({ reports }: { reports: readonly ReportView[] }): ReactNode {
  const queries = useQueryClient();
  const send = useMutation({
    mutationFn: (report: string) => hookApi.call('sendReport', { params: { report } }),
    onSettled: () => queries.invalidateQueries({ queryKey: ['reports'] }),
  });
  return (
    <>
      <WriteError error={send.error} />
      <ListTable
        rows={reports}
        keyOf={({ id }) => id}
        empty={<p className="muted">None. A commit that a forge delivered gets one, with its run.</p>}
        columns={[
          {
            name: 'State',
            render: ({ state }) => (
              <span className={`badge tone-${STATES[state].tone}`} title={STATES[state].help}>
                <span aria-hidden="true">{STATES[state].icon}</span> {state}
              </span>
            ),
          },
          {
            name: 'Commit',
            render: ({ repository, number, commit, context, source }) => (
              <>
                {repository}
                {number === null ? '' : `#${number}`} <code title={commit}>{commit.slice(0, 12)}</code>
                <div className="reason muted">
                  {context}, by {source}
                </div>
              </>
            ),
          },
          {
            name: 'Run',
            render: ({ run, error, tries }) => (
              <>
                {run !== null && (
                  <Link to="/runs/$run" params={{ run: run.id }}>
                    {run.name}
                  </Link>
                )}
                {error !== null && (
                  <div className="reason">
                    try {tries}: {error}
                  </div>
                )}
              </>
            ),
          },
          {
            name: 'Sent',
            render: ({ sentAt, nextAt }) => (
              <>
                {sentAt === null ? <span className="muted">not yet</span> : <Ago at={sentAt} />}
                {nextAt !== null && (
                  <div className="reason muted">
                    next try <In at={nextAt} />
                  </div>
                )}
              </>
            ),
          },
          {
            name: 'Action',
            head: <span className="unseen">Action</span>,
            render: ({ id, state, commit }) =>
              state !== 'not configured' && (
                <button
                  type="button"
                  disabled={send.isPending}
                  aria-label={`Send again the report of ${commit.slice(0, 12)}`}
                  onClick={() => send.mutate(id)}
                >
                  Send again
                </button>
              ),
          },
        ]}
      />
    </>
  );
}

function Hooks(): ReactNode {
  const query = useQuery(hooksQuery());
  return (
    <section aria-labelledby="hooks-head">
      <h2 id="hooks-head">Hooks and rules</h2>
      <p className="muted">From the controller’s hooks file. The first rule that fits a change decides.</p>
      <QuerySection query={query} what="the hooks">
        {(hooks) => (
          <ListTable
            rows={hooks}
            keyOf={({ name }) => name}
            empty={<p className="muted">None. The controller has no hooks file.</p>}
            columns={[
              {
                name: 'Hook',
                render: ({ name, kind }) => (
                  <>
                    {name}
                    <div className="reason muted">
                      {kind}, <code>/api/v1/hooks/{name}</code>
                    </div>
                  </>
                ),
              },
              { name: 'Runs', render: (hook) => <Rules hook={hook} /> },
              { name: 'People', render: ({ people }) => people.join(', ') },
              {
                name: 'Reports to',
                render: ({ report }) =>
                  report === null ? <span className="muted">nobody</span> : `${report.api} as ${report.as}`,
              },
            ]}
          />
        )}
      </QuerySection>
    </section>
  );
}

function Rules({ hook }: { hook: HookView }): ReactNode {
  if (hook.rules.length === 0) return hook.templates.join(', ');
  return (
    <ol className="rules">
      {hook.rules.map((rule) => (
        <li key={JSON.stringify(rule)}>{ruleText(rule)}</li>
      ))}
    </ol>
  );
}

function ruleText({ repository, branches, paths, labels, template, build }: HookRuleView): string {
  const parts = [
    repository,
    branches === null ? null : `on ${branches.join(', ')}`,
    paths === null ? null : `touching ${paths.join(', ')}`,
    labels === null ? null : `labeled ${labels.join(' or ')}`,
  ];
  const target = build === null ? template : `${template} (build ${build})`;
  return `${parts.filter((part) => part !== null).join(' ')}: ${target}`;
}
