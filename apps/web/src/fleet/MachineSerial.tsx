import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { SOLE_ROLE, type MachineAttempt } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { attemptQuery } from '../api/attempts.js';
import { machineAttemptsQuery } from '../api/fleet.js';
import { TailView } from '../logs/TailView.js';
import { ListTable } from '../ui/ListTable.js';
import { Empty, QuerySection } from '../ui/section.js';
import { Ago, Elapsed } from '../ui/time.js';
import { StateBadge, VerdictMark } from '../ui/verdict.js';

/** The serial consoles of the running or last attempt on the machine, its peers' too, and the newest attempts. */
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
            <SerialLog machine={machine} attempt={newest} />
            <Attempts attempts={[newest, ...older]} />
          </>
        )
      }
    </QuerySection>
  );
}

function SerialLog({ machine, attempt }: { machine: string; attempt: MachineAttempt }): ReactNode {
  const isLive = attempt.state !== 'ended';
  return (
    <section aria-labelledby="serial-head">
      <div className="section-head">
        <h2 id="serial-head">Serial log</h2>
        {isLive ? <StateBadge state={attempt.state} title="lines appear as they are stored" /> : null}
        <span className="muted">
          {isLive ? 'of ' : 'last lines of '}
          <Link to="/attempts/$attempt" params={{ attempt: attempt.id }}>
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
        {attempt.role === SOLE_ROLE && <WholeLog attempt={attempt.id} />}
      </div>
      {attempt.role === SOLE_ROLE ? <Console attempt={attempt.id} /> : <Consoles machine={machine} attempt={attempt} />}
    </section>
  );
}

/** The console of each machine of the attempt: this one's, then those of its peers. */
function Consoles({ machine, attempt }: { machine: string; attempt: MachineAttempt }): ReactNode {
  const { data } = useQuery(attemptQuery(attempt.id));
  const peers = (data?.participants ?? []).filter(({ role }) => role !== attempt.role);
  // Its own does not wait for the others to be known.
  const all = [{ role: attempt.role, machine }, ...peers.map((peer) => ({ role: peer.role, machine: peer.machine }))];
  return all.map(({ role, machine: whose }) => (
    <section key={role} aria-label={`Serial log of ${role}`}>
      <div className="section-head">
        <h3>
          <span className="chip">{role}</span>{' '}
          {whose === null || whose === machine ? (
            (whose ?? 'no machine')
          ) : (
            <Link to="/machines/$machine" params={{ machine: whose }}>
              {whose}
            </Link>
          )}
        </h3>
        <WholeLog attempt={attempt.id} role={role} />
      </div>
      <Console attempt={attempt.id} role={role} />
    </section>
  ));
}

/** Where a console stands among the streams of its attempt. */
const logOf = (role: string | undefined) =>
  ({ view: 'log', stream: 'serial', ...(role === undefined ? {} : { role }) }) as const;

function WholeLog({ attempt, role }: { attempt: string; role?: string }): ReactNode {
  return (
    <Link to="/attempts/$attempt" params={{ attempt }} search={logOf(role)} className="push">
      Whole log
    </Link>
  );
}

/** @param role whose console; undefined = that of the only machine */
function Console({ attempt, role }: { attempt: string; role?: string }): ReactNode {
  const navigate = useNavigate();
  const search = logOf(role);
  return (
    <TailView
      key={attempt}
      attemptId={attempt}
      stream="serial"
      role={role}
      page={`/attempts/${attempt}?${new URLSearchParams(search).toString()}`}
      onOpen={(line) => void navigate({ to: '/attempts/$attempt', params: { attempt }, search: { ...search, line } })}
    />
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
