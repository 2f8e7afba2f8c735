import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import type { MachineAttempt } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { machineAttemptsQuery } from '../api/fleet.js';
import { TailView } from '../logs/TailView.js';
import { ListTable } from '../ui/ListTable.js';
import { Empty, QuerySection } from '../ui/section.js';
import { Ago, Elapsed } from '../ui/time.js';
import { StateBadge, VerdictMark } from '../ui/verdict.js';

/** The serial console of the running or last attempt on the machine, and the newest attempts. */
export function MachineSerial({ machine }: { machine: string }): ReactNode {
  const query = useQuery(machineAttemptsQuery(machine));
  return (
    <QuerySection query={query} what="the attempts">
      {([newest, ...older]) =>
        newest === undefined ? (
          <Empty title="Nothing has run on this machine yet.">
            <p>
              <Link to="/submit">Submit a run</Link> that selects it; its serial log appears here while it boots.
            </p>
          </Empty>
        ) : (
          <>
            <SerialLog attempt={newest} />
            <Attempts attempts={[newest, ...older]} />
          </>
        )
      }
    </QuerySection>
  );
}

function SerialLog({ attempt }: { attempt: MachineAttempt }): ReactNode {
  const navigate = useNavigate();
  const isLive = attempt.state !== 'ended';
  const params = { attempt: attempt.id };
  const log = { view: 'log', stream: 'serial' } as const;
  return (
    <section aria-labelledby="serial-head">
      <div className="section-head">
        <h2 id="serial-head">Serial log</h2>
        {isLive ? <StateBadge state={attempt.state} title="lines appear as they are stored" /> : null}
        <span className="muted">
          {isLive ? 'of ' : 'last lines of '}
          <Link to="/attempts/$attempt" params={params}>
            attempt {attempt.number}
          </Link>{' '}
          of {attempt.run.name}, build {attempt.build}
          {isLive ? (
            <>
              , <Elapsed from={attempt.startedAt} to={null} />
            </>
          ) : (
            <>
              , ended <Ago at={attempt.endedAt} />
            </>
          )}
        </span>
        <Link to="/attempts/$attempt" params={params} search={log} className="push">
          Whole log
        </Link>
      </div>
      <TailView
        key={attempt.id}
        attemptId={attempt.id}
        stream="serial"
        page={`/attempts/${attempt.id}?view=log&stream=serial`}
        onOpen={(line) => void navigate({ to: '/attempts/$attempt', params, search: { ...log, line } })}
      />
    </section>
  );
}

function Attempts({ attempts }: { attempts: readonly MachineAttempt[] }): ReactNode {
  return (
    <section aria-labelledby="attempts-head">
      <h2 id="attempts-head">Newest attempts</h2>
      <ListTable
        rows={attempts}
        keyOf={(attempt) => attempt.id}
        columns={[
          {
            name: 'Result',
            render: (attempt) => (
              <>
                {attempt.verdict === null ? (
                  <StateBadge state={attempt.state} />
                ) : (
                  <VerdictMark verdict={attempt.verdict} long />
                )}
                {attempt.isSuspect && <span className="chip chip-warn">suspect</span>}
                {attempt.failure !== null && <div className="muted">{attempt.failure}</div>}
              </>
            ),
          },
          {
            name: 'Run',
            render: (attempt) => (
              <Link to="/runs/$run" params={{ run: attempt.run.id }}>
                {attempt.run.name}
              </Link>
            ),
          },
          { name: 'Build', render: (attempt) => attempt.build },
          {
            name: 'Attempt',
            render: (attempt) => (
              <Link to="/attempts/$attempt" params={{ attempt: attempt.id }} data-row>
                attempt {attempt.number}
              </Link>
            ),
          },
          { name: 'Started', render: (attempt) => <Ago at={attempt.startedAt} /> },
          {
            name: 'Took',
            className: 'number',
            render: (attempt) => <Elapsed from={attempt.startedAt} to={attempt.endedAt} />,
          },
        ]}
      />
    </section>
  );
}
