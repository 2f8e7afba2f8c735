import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { Fleet, MachineSummary } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { useTopics } from '../api/live-context.js';
import { fleetQuery } from '../api/queries.js';
import { LabelChips, Lease } from '../fleet/Lease.js';
import { useListKeys } from '../ui/list-keys.js';
import { ListTable } from '../ui/ListTable.js';
import { Empty, QuerySection, useTitle } from '../ui/section.js';
import { Ago } from '../ui/time.js';
import { PathChip, StateBadge } from '../ui/verdict.js';

/** All machines and agents. */
export function MachinesPage(): ReactNode {
  useTitle('Machines');
  useTopics('machines');
  useListKeys();
  const query = useQuery(fleetQuery());
  return (
    <>
      <div className="page-head">
        <h1>Machines</h1>
      </div>
      <QuerySection query={query} what="the machines">
        {(fleet) => (
          <>
            <MachineTable machines={fleet.machines} />
            <AgentTable agents={fleet.agents} />
          </>
        )}
      </QuerySection>
    </>
  );
}

function MachineTable({ machines }: { machines: readonly MachineSummary[] }): ReactNode {
  return (
    <ListTable
      rows={machines}
      keyOf={(machine) => machine.name}
      empty={
        <Empty title="No machine is known yet.">
          <p>Machines appear when their agent connects: write them into the agent’s configuration and start it.</p>
        </Empty>
      }
      columns={[
        {
          name: 'State',
          render: (machine) => (
            <span className="row tight">
              <StateBadge state={machine.observed} />
              {machine.desired !== 'active' && <StateBadge state={machine.desired} />}
            </span>
          ),
        },
        {
          name: 'Machine',
          render: (machine) => (
            <>
              <Link to="/machines/$machine" params={{ machine: machine.name }} className="strong" data-row>
                {machine.name}
              </Link>
              <div className="muted">{machine.description}</div>
              {machine.problem !== null && <div className="reason">{machine.problem}</div>}
            </>
          ),
        },
        {
          name: 'Peer paths',
          render: (machine) => (
            <span className="row tight">
              {[...new Set(machine.paths.map(({ kind }) => kind))].map((kind) => (
                <PathChip key={kind} kind={kind} />
              ))}
              {machine.paths.length === 0 && <span className="muted">none known</span>}
            </span>
          ),
        },
        { name: 'Labels', render: (machine) => <LabelChips labels={machine.labels} /> },
        { name: 'Lease', render: (machine) => <Lease lease={machine.lease} /> },
        { name: 'Last seen', render: (machine) => <Ago at={machine.lastSeenAt} /> },
      ]}
    />
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
