import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import {
  desiredInWords,
  MACHINE_CHANGES_MAX,
  type MachineChange,
  type MachineSummary,
  type MachineUse,
} from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { machineChangesQuery, machineQueueQuery, machineUseQuery } from '../api/fleet.js';
import { ListTable } from '../ui/ListTable.js';
import { countText } from '../ui/numbers.js';
import { QuerySection } from '../ui/section.js';
import { Ago } from '../ui/time.js';
import { StateBadge } from '../ui/verdict.js';
import { UseBars, useText } from './UseBars.js';

/** Who set the state of the machine, why and when: stays next to its name until the next change. */
export function DesiredLine({ machine }: { machine: MachineSummary }): ReactNode {
  const { desired, desiredBy } = machine;
  if (desiredBy === null) return null;
  return (
    <p className={desired === 'active' ? 'muted' : 'notice notice-warn'}>
      {desired === 'active' ? 'Activated' : `It is ${desiredInWords(desired)}, set`} by{' '}
      <strong>{desiredBy.name ?? 'the farm itself'}</strong> <Ago at={desiredBy.at} />
      {desiredBy.reason !== null && <>: {desiredBy.reason}</>}
    </p>
  );
}

/** In a list: who took a machine out of service, when and why; nothing for an active one. */
export function DesiredBy({ machine }: { machine: MachineSummary }): ReactNode {
  const { desired, desiredBy } = machine;
  if (desired === 'active' || desiredBy === null) return null;
  return (
    <div className="reason">
      {desiredInWords(desired)} by {desiredBy.name ?? 'the farm itself'} <Ago at={desiredBy.at} />
      {desiredBy.reason !== null && `: ${desiredBy.reason}`}
    </div>
  );
}

/** How much the machine was used, and the jobs that wait for it. */
export function MachineLoad({ machine }: { machine: string }): ReactNode {
  const use = useQuery(machineUseQuery());
  const queue = useQuery(machineQueueQuery(machine));
  const own = use.data?.find((each) => each.machine === machine);
  return (
    <section aria-labelledby="load-head">
      <h2 id="load-head">Use and queue</h2>
      <QuerySection query={use} what="the use of the machine">
        {() => own !== undefined && <UseFacts use={own} />}
      </QuerySection>
      <QuerySection query={queue} what="the queue of the machine">
        {(jobs) => (
          <>
            <ListTable
              rows={jobs}
              keyOf={({ jobId }) => jobId}
              columns={[
                {
                  name: 'Waiting job',
                  render: ({ run, build }) => (
                    <>
                      <Link to="/runs/$run" params={{ run: run.id }}>
                        {run.name}
                      </Link>{' '}
                      <span className="muted">build</span> {build}
                    </>
                  ),
                },
                { name: 'Priority', className: 'number', render: ({ priority }) => priority },
                { name: 'Queued', render: ({ queuedAt }) => <Ago at={queuedAt} /> },
              ]}
            />
            {own !== undefined && own.queued > jobs.length && (
              <p className="muted">and {countText(own.queued - jobs.length)} more after these</p>
            )}
          </>
        )}
      </QuerySection>
    </section>
  );
}

function UseFacts({ use }: { use: MachineUse }): ReactNode {
  return (
    <p className="row">
      <UseBars use={use} />
      <span>{useText(use)}</span>
    </p>
  );
}

/** Every kept change of the machine's state. */
export function MachineChanges({ machine }: { machine: string }): ReactNode {
  const query = useQuery(machineChangesQuery(machine));
  return (
    <section aria-labelledby="changes-head">
      <h2 id="changes-head">Who changed its state</h2>
      <QuerySection query={query} what="the changes of the machine">
        {(changes) => (
          <>
            <ListTable
              rows={changes}
              keyOf={(_, index) => index}
              empty={<p className="muted">No change yet.</p>}
              columns={[
                { name: 'Set to', render: ({ desired, event }) => <StateBadge state={event ?? desired} /> },
                { name: 'By', render: (change) => <ChangedBy change={change} /> },
                { name: 'When', render: ({ at }) => <Ago at={at} /> },
                {
                  name: 'Reason',
                  className: 'reason',
                  render: ({ reason }) => reason ?? <span className="muted">none was given</span>,
                },
              ]}
            />
            {changes.length >= MACHINE_CHANGES_MAX && (
              <p className="muted">The newest {MACHINE_CHANGES_MAX} changes are kept; older ones are gone.</p>
            )}
          </>
        )}
      </QuerySection>
    </section>
  );
}

function ChangedBy({ change }: { change: MachineChange }): ReactNode {
  return change.by === null ? <span className="muted">the farm itself</span> : change.by;
}
