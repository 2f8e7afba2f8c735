import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { Fleet } from '@peerlab/contracts';
import { useMemo, type ReactNode } from 'react';
import { useTopics } from '../api/live-context.js';
import { fleetQuery, machineUseQuery } from '../api/fleet.js';
import { LabelChips, Lease } from '../fleet/Lease.js';
import { filterMachines, withUse } from '../fleet/machine-filter.js';
import { MachineFilters } from '../fleet/MachineFilters.js';
import { DesiredBy } from '../fleet/MachineRecord.js';
import { ReservedFor } from '../fleet/Reservation.js';
import { otherProblem } from '../fleet/other-problem.js';
import { UseBars } from '../fleet/UseBars.js';
import type { MachinesSearch } from '../search.js';
import { useListKeys } from '../ui/list-keys.js';
import { ListTable } from '../ui/ListTable.js';
import { countOf } from '../ui/numbers.js';
import { Empty, QuerySection, useTitle } from '../ui/section.js';
import { Ago } from '../ui/time.js';
import { PathChip, StateBadge } from '../ui/verdict.js';

const route = getRouteApi('/machines');

/** Machines that pass the filters of the address, and all agents. */
export function MachinesPage(): ReactNode {
  const search = route.useSearch();
  useTitle('Machines');
  useTopics('machines');
  useListKeys();
  const query = useQuery(fleetQuery());
  return (
    <>
      <div className="page-head">
        <h1>Machines</h1>
        <MachineFilters search={search} machines={query.data?.machines ?? []} />
      </div>
      <QuerySection query={query} what="the machines">
        {(fleet) => (
          <>
            <MachineTable fleet={fleet} search={search} />
            <AgentTable agents={fleet.agents} />
          </>
        )}
      </QuerySection>
    </>
  );
}

function MachineTable({ fleet, search }: { fleet: Fleet; search: MachinesSearch }): ReactNode {
  const use = useQuery(machineUseQuery());
  const listed = useMemo(() => withUse(fleet.machines, use.data), [fleet.machines, use.data]);
  const shown = useMemo(() => filterMachines(listed, search), [listed, search]);
  return (
    <ListTable
      rows={shown}
      keyOf={({ machine }) => machine.name}
      empty={<NoMachines known={listed.length} />}
      columns={[
        {
          name: 'State',
          render: ({ machine }) => (
            <span className="row tight">
              <StateBadge state={machine.observed} />
              {machine.desired !== 'active' && <StateBadge state={machine.desired} />}
              {machine.reservation !== undefined && <StateBadge state="reserved" />}
            </span>
          ),
        },
        {
          name: 'Machine',
          render: ({ machine }) => (
            <>
              <Link to="/machines/$machine" params={{ machine: machine.name }} className="strong" data-row>
                {machine.name}
              </Link>
              <div className="muted">{machine.description}</div>
              <DesiredBy machine={machine} />
              <ReservedFor machine={machine} />
              <div className="reason">{otherProblem(machine)}</div>
            </>
          ),
        },
        {
          name: 'Peer paths',
          render: ({ machine }) => (
            <span className="row tight">
              {[...new Set(machine.paths.map(({ kind }) => kind))].map((kind) => (
                <PathChip key={kind} kind={kind} />
              ))}
              {machine.paths.length === 0 && <span className="muted">none known</span>}
            </span>
          ),
        },
        { name: 'Labels', render: ({ machine }) => <LabelChips labels={machine.labels} /> },
        { name: 'Lease', render: ({ machine }) => <Lease lease={machine.lease} /> },
        { name: 'Queue', className: 'number', render: (row) => row.use?.queued ?? '–' },
        { name: '7 days', render: ({ use }) => use !== null && <UseBars use={use} /> },
        { name: 'Last seen', render: ({ machine }) => <Ago at={machine.lastSeenAt} /> },
      ]}
    />
  );
}

function NoMachines({ known }: { known: number }): ReactNode {
  if (known > 0) {
    return (
      <Empty title={`None of the ${countOf(known, 'machine')} matches.`}>
        <p>
          <Link to="/machines" search={{}}>
            Clear the filters
          </Link>
        </p>
      </Empty>
    );
  }
  return (
    <Empty title="No machine is known yet.">
      <p>Machines appear when their agent connects: write them into the agent’s configuration and start it.</p>
    </Empty>
  );
}

function AgentTable({ agents }: { agents: Fleet['agents'] }): ReactNode {
  return (
    <section aria-labelledby="agents-head">
      <h2 id="agents-head">Agents</h2>
      <ListTable
        rows={agents}
        keyOf={(agent) => agent.name}
        columns={[
          { name: 'State', render: (agent) => <StateBadge state={agent.connected ? 'connected' : 'lost'} /> },
          { name: 'Agent', render: (agent) => agent.name },
          { name: 'Site', render: (agent) => agent.site },
          { name: 'Can', render: (agent) => agent.capabilities.join(', ') },
          { name: 'Version', render: (agent) => agent.version },
          { name: 'Last seen', render: (agent) => <Ago at={agent.lastSeenAt} /> },
        ]}
        empty={
          <p className="muted">No agent has connected yet. An agent needs the controller’s address and its token.</p>
        }
      />
    </section>
  );
}
