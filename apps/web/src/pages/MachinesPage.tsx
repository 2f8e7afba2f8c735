import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { Fleet, MachineSummary } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { useTopics } from '../api/live-context.js';
import { fleetQuery } from '../api/queries.js';
import { LabelChips, Lease } from '../fleet/Lease.js';
import { useListKeys } from '../ui/list-keys.js';
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
  if (machines.length === 0) {
    return (
      <Empty title="No machine is known yet.">
        <p>Machines appear when their agent connects: write them into the agent’s configuration and start it.</p>
      </Empty>
    );
  }
  return (
    <table className="list">
      <thead>
        <tr>
          <th scope="col">State</th>
          <th scope="col">Machine</th>
          <th scope="col">Peer paths</th>
          <th scope="col">Labels</th>
          <th scope="col">Lease</th>
          <th scope="col">Last seen</th>
        </tr>
      </thead>
      <tbody>
        {machines.map((machine) => (
          <tr key={machine.name}>
            <td data-label="State">
              <span className="row tight">
                <StateBadge state={machine.observed} />
                {machine.desired !== 'active' && <StateBadge state={machine.desired} />}
              </span>
            </td>
            <td data-label="Machine">
              <Link to="/machines/$machine" params={{ machine: machine.name }} className="strong" data-row>
                {machine.name}
              </Link>
              <div className="muted">{machine.description}</div>
              {machine.problem !== null && <div className="reason">{machine.problem}</div>}
            </td>
            <td data-label="Peer paths">
              <span className="row tight">
                {[...new Set(machine.paths.map(({ kind }) => kind))].map((kind) => (
                  <PathChip key={kind} kind={kind} />
                ))}
                {machine.paths.length === 0 && <span className="muted">none known</span>}
              </span>
            </td>
            <td data-label="Labels">
              <LabelChips labels={machine.labels} />
            </td>
            <td data-label="Lease">
              <Lease lease={machine.lease} />
            </td>
            <td data-label="Last seen">
              <Ago at={machine.lastSeenAt} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function AgentTable({ agents }: { agents: Fleet['agents'] }): ReactNode {
  return (
    <section aria-labelledby="agents-head">
      <h2 id="agents-head">Agents</h2>
      {agents.length === 0 ? (
        <p className="muted">No agent has connected yet. An agent needs the controller’s address and its token.</p>
      ) : (
        <table className="list">
          <thead>
            <tr>
              <th scope="col">State</th>
              <th scope="col">Agent</th>
              <th scope="col">Site</th>
              <th scope="col">Can</th>
              <th scope="col">Version</th>
              <th scope="col">Last seen</th>
            </tr>
          </thead>
          <tbody>
            {agents.map((agent) => (
              <tr key={agent.name}>
                <td data-label="State">
                  <StateBadge state={agent.connected ? 'connected' : 'lost'} />
                </td>
                <td data-label="Agent">{agent.name}</td>
                <td data-label="Site">{agent.site}</td>
                <td data-label="Can">{agent.capabilities.join(', ')}</td>
                <td data-label="Version">{agent.version}</td>
                <td data-label="Last seen">
                  <Ago at={agent.lastSeenAt} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
