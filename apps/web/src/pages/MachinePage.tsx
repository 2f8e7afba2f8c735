import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { Inventory, MachineView } from '@peerlab/contracts';
import { useMemo, type ReactNode } from 'react';
import { useTopics } from '../api/live-context.js';
import { machineQuery } from '../api/fleet.js';
import { MachineAlarms } from '../crashes/HardwareAlarms.js';
import { InventoryDrift } from '../fleet/InventoryDrift.js';
import { LabelChips, Lease } from '../fleet/Lease.js';
import { MachineChecks } from '../fleet/MachineChecks.js';
import { MachineControls } from '../fleet/MachineControls.js';
import { MachineNow } from '../fleet/MachineNow.js';
import { MachineHealth } from '../fleet/MachineHealth.js';
import { DesiredLine, MachineChanges, MachineLoad } from '../fleet/MachineRecord.js';
import { ReservationControls, ReservedLine } from '../fleet/Reservation.js';
import { otherProblem } from '../fleet/other-problem.js';
import { MachineSerial } from '../fleet/MachineSerial.js';
import { MachineTerminals, TerminalLinks } from '../fleet/MachineTerminals.js';
import { MachineTwins } from '../fleet/MachineTwins.js';
import { addressesOnPath } from '../fleet/pcie-tree.js';
import { PcieTree } from '../fleet/PcieTree.js';
import { useListKeys } from '../ui/list-keys.js';
import { bytesText } from '../ui/numbers.js';
import { Empty, QuerySection, useTitle } from '../ui/section.js';
import { Ago } from '../ui/time.js';
import { PathChip, StateBadge } from '../ui/verdict.js';

const route = getRouteApi('/machines/$machine');

/** One machine: its state and who set it, where it is in its attempt, PCIe tree, peer paths, queue, serial console and hardware changes. */
export function MachinePage(): ReactNode {
  const { machine: name } = route.useParams();
  useTitle(name);
  useTopics('machines');
  useListKeys();
  const query = useQuery(machineQuery(name));
  return (
    <QuerySection query={query} what="the machine" heading={name}>
      {(machine) => (
        <>
          <MachineHead machine={machine} />
          <MachineNow machine={name} />
          <MachineLoad machine={name} />
          <MachineHealth machine={name} />
          <MachineAlarms machine={name} />
          {machine.inventory === null ? (
            <Empty title="No inventory yet.">
              <p>The agent reads it as soon as the machine answers on its default kernel.</p>
            </Empty>
          ) : (
            <Topology machine={machine} inventory={machine.inventory} />
          )}
          <MachineTwins machine={machine} />
          <MachineChecks machine={machine} />
          <MachineChanges machine={name} />
          <MachineTerminals machine={name} />
          <MachineSerial machine={name} />
          <InventoryDrift machine={name} />
        </>
      )}
    </QuerySection>
  );
}

function MachineHead({ machine }: { machine: MachineView }): ReactNode {
  const problem = otherProblem(machine);
  return (
    <>
      <p className="crumbs">
        <Link to="/machines">Machines</Link> / <span className="muted">{machine.site}</span>
      </p>
      <div className="page-head">
        <h1>{machine.name}</h1>
        <StateBadge state={machine.observed} />
        {machine.desired !== 'active' && <StateBadge state={machine.desired} />}
        <div className="push row">
          <TerminalLinks machine={machine.name} />
          <ReservationControls machine={machine} />
          <MachineControls machine={machine} />
        </div>
      </div>
      <p>{machine.description}</p>
      <DesiredLine machine={machine} />
      <ReservedLine machine={machine} />
      {problem !== null && <p className="notice notice-bad">{problem}</p>}
      <dl className="facts-row">
        <div>
          <dt>Agent</dt>
          <dd>{machine.agent}</dd>
        </div>
        <div>
          <dt>Lease</dt>
          <dd>
            <Lease lease={machine.lease} />
          </dd>
        </div>
        <div>
          <dt>Last seen</dt>
          <dd>
            <Ago at={machine.lastSeenAt} />
          </dd>
        </div>
        <div>
          <dt>Labels</dt>
          <dd>
            <LabelChips labels={machine.labels} />
          </dd>
        </div>
        {machine.inventory !== null && <InventoryFacts inventory={machine.inventory} />}
      </dl>
    </>
  );
}

function InventoryFacts({ inventory }: { inventory: Inventory }): ReactNode {
  return (
    <>
      <div>
        <dt>CPU</dt>
        <dd>
          {inventory.cpu.count} × {inventory.cpu.name}
        </dd>
      </div>
      <div>
        <dt>Memory</dt>
        <dd>{bytesText(inventory.memoryBytes)}</dd>
      </div>
      <div>
        <dt>IOMMU</dt>
        <dd>{inventory.iommu}</dd>
      </div>
      <div>
        <dt>Default kernel</dt>
        <dd>
          <code>{inventory.kernel.release}</code>
          <details>
            <summary>command line</summary>
            <code>{inventory.kernel.commandLine}</code>
          </details>
        </dd>
      </div>
    </>
  );
}

function Topology({ machine, inventory }: { machine: MachineView; inventory: Inventory }): ReactNode {
  const { pair } = route.useSearch();
  const navigate = route.useNavigate();
  const chosen =
    machine.paths.find((path) => pairName(path) === pair) ??
    (machine.paths.length === 1 ? machine.paths[0] : undefined);
  const lit = useMemo(
    () =>
      chosen === undefined
        ? new Set<string>()
        : addressesOnPath(inventory, chosen.provider.address, chosen.client.address),
    [inventory, chosen],
  );
  return (
    <>
      <section aria-labelledby="paths-head">
        <h2 id="paths-head">Peer paths, as predicted from the inventory</h2>
        {machine.paths.length === 0 ? (
          <p className="muted">No provider and client pair was recognised on this machine.</p>
        ) : (
          <ul className="paths">
            {machine.paths.map((path) => (
              <li key={pairName(path)} className={path === chosen ? 'path path-chosen' : 'path'}>
                <button
                  type="button"
                  aria-pressed={path === chosen}
                  onClick={() => void navigate({ search: { pair: pairName(path) }, replace: true, resetScroll: false })}
                >
                  <span className="path-ends">
                    <span>
                      <span className="chip role-provider">provider</span> {path.provider.model}{' '}
                      <code>{path.provider.address}</code>
                    </span>
                    <span aria-hidden="true">→</span>
                    <span>
                      <span className="chip role-client">client</span> {path.client.model}{' '}
                      <code>{path.client.address}</code>
                    </span>
                  </span>
                  <span className="row">
                    <PathChip kind={path.kind} />
                    {path.distance !== null && <span>distance {path.distance}</span>}
                    <span className="muted">{path.reason}</span>
                    {path.iommuModes !== undefined && (
                      <span className="muted">
                        IOMMU of the provider: {path.iommuModes.provider ?? 'none'}, of the client:{' '}
                        {path.iommuModes.client ?? 'none'}
                      </span>
                    )}
                  </span>
                </button>
              </li>
            ))}
          </ul>
        )}
      </section>
      <section aria-labelledby="tree-head">
        <h2 id="tree-head">PCIe tree</h2>
        <PcieTree inventory={inventory} lit={lit} />
      </section>
    </>
  );
}

function pairName(path: MachineView['paths'][number]): string {
  return `${path.provider.address}~${path.client.address}`;
}
