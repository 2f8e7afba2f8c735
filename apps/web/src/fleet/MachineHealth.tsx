import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { HealthCheck, MachineHealth as Health } from '@peerlab/contracts';
import { useState, type FormEvent, type ReactNode } from 'react';
import { checkMachine, machineHealthQuery } from '../api/health.js';
import { Dialog } from '../ui/dialog.js';
import { ListTable } from '../ui/ListTable.js';
import { countOf } from '../ui/numbers.js';
import { QuerySection, WriteError } from '../ui/section.js';
import { Ago, In } from '../ui/time.js';

/** Whether the machine serves, when it passed its health check last, and how the newest ones ended. */
export function MachineHealth({ machine }: { machine: string }): ReactNode {
  const query = useQuery(machineHealthQuery(machine));
  return (
    <section aria-labelledby="health-head">
      <div className="section-head">
        <h2 id="health-head">Health</h2>
        <span className="push">
          <CheckNow machine={machine} />
        </span>
      </div>
      <QuerySection query={query} what="the health of the machine">
        {(health) => (
          <>
            <HealthLines health={health} />
            <ListTable
              rows={health.checks}
              keyOf={({ number }) => number}
              columns={[
                { name: 'Check', render: (check) => <Outcome check={check} /> },
                { name: 'When', render: ({ at }) => <Ago at={at} /> },
                { name: 'Boots', className: 'number', render: ({ boots }) => boots },
                {
                  name: 'Why',
                  className: 'reason',
                  render: ({ kind, by, reason }) => (
                    <>
                      {reason} <span className="muted">{by === null ? kind : `asked by ${by}`}</span>
                    </>
                  ),
                },
                { name: 'Found', className: 'reason', render: ({ detail }) => detail },
              ]}
            />
          </>
        )}
      </QuerySection>
    </section>
  );
}

const OUTCOMES: Record<NonNullable<HealthCheck['outcome']>, { icon: string; word: string; tone: string }> = {
  passed: { icon: '✓', word: 'passed', tone: 'good' },
  failed: { icon: '✗', word: 'failed', tone: 'bad' },
  inconclusive: { icon: '⌁', word: 'the lab failed', tone: 'warn' },
  refused: { icon: '!', word: 'not possible', tone: 'warn' },
  canceled: { icon: '⊘', word: 'canceled', tone: 'warn' },
};

function Outcome({ check: { number, outcome, runId } }: { check: HealthCheck }): ReactNode {
  const { icon, word, tone } = outcome === null ? { icon: '…', word: 'runs', tone: 'warn' } : OUTCOMES[outcome];
  return (
    <span className="row tight">
      <span className={`chip check-${tone}`}>
        <span aria-hidden="true">{icon}</span> {word}
      </span>
      {runId === null ? (
        <span className="muted">check {number}</span>
      ) : (
        <Link to="/runs/$run" params={{ run: runId }} data-row>
          check {number}
        </Link>
      )}
    </span>
  );
}

function HealthLines({ health: { enabled, unproven, goodAt, nextAt, suspects } }: { health: Health }): ReactNode {
  return (
    <>
      {unproven !== null && (
        <p className="notice notice-warn">It takes nothing but its health check until that passes: {unproven}</p>
      )}
      <p className="muted">
        {goodAt === null ? (
          'It has never passed a health check.'
        ) : (
          <>
            It passed its last health check <Ago at={goodAt} />.
          </>
        )}
        {nextAt !== null && (
          <>
            {' '}
            The next one is due <In at={nextAt} />.
          </>
        )}
        {!enabled && ' The farm makes none by itself: health.enabled of the controller is not set.'}
      </p>
      {suspects > 0 && (
        <p>
          {countOf(suspects, 'attempt')} on it {suspects === 1 ? 'is' : 'are'} suspect: it failed a health check after
          they ran.
        </p>
      )}
    </>
  );
}

/** Longest reason, as MachineReason of the contracts. */
const REASON_MAX = 500;

function CheckNow({ machine }: { machine: string }): ReactNode {
  const queries = useQueryClient();
  const [isAsked, setAsked] = useState(false);
  const [reason, setReason] = useState('');
  const [hold, setHold] = useState(false);
  const check = useMutation({
    mutationFn: () => checkMachine(machine, { reason: reason.trim(), hold }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['machine', machine] }),
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (reason.trim() === '') return;
    setAsked(false);
    check.mutate();
  };
  return (
    <>
      <button type="button" disabled={check.isPending} onClick={() => setAsked(true)}>
        Check now
      </button>
      <WriteError error={check.error} />
      {isAsked && (
        <Dialog title={`Check ${machine}?`} onClose={() => setAsked(false)}>
          <form onSubmit={submit} className="stack">
            <p>A kernel that is known to be good is booted on it as soon as it is free.</p>
            <label>
              Reason, shown to everyone with your name
              <input
                type="text"
                required
                maxLength={REASON_MAX}
                value={reason}
                onChange={(event) => setReason(event.target.value)}
              />
            </label>
            <label className="row">
              <input type="checkbox" checked={hold} onChange={(event) => setHold(event.target.checked)} />
              It takes nothing else until it has passed
            </label>
            <p className="row">
              <button type="submit" className="primary" disabled={reason.trim() === ''}>
                Check {machine}
              </button>
              <button type="button" onClick={() => setAsked(false)}>
                Leave it as it is
              </button>
            </p>
          </form>
        </Dialog>
      )}
    </>
  );
}
