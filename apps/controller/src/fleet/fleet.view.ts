import { Injectable } from '@nestjs/common';
import {
  desiredInWords,
  type AgentView,
  type Combination,
  type Fleet,
  type Inventory,
  type Labels,
  type MachineDesired,
  type MachineObserved,
  type MachineSummary,
  type MachineView,
  type PeerPath,
  utcText,
} from '@peerlab/contracts';
import { Sql } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';
import { AGENT_ONLINE } from './fleet.service.js';

interface MachineRow {
  name: string;
  site: string;
  agent: string;
  description: string;
  labels: Labels;
  desired: MachineDesired;
  desired_reason: string | null;
  desired_by: string | null;
  desired_at: Date | null;
  held_attempt: string | null;
  reachable: boolean;
  problem: string | null;
  configured: boolean;
  last_seen_at: Date | null;
  has_inventory: boolean;
  online: boolean;
  agent_last_seen_at: Date;
  lease: { attemptId: string; runId: string; fence: number; expiresAt: string } | null;
  paths: (PeerPath & { combination: Combination })[];
}

/** Reads the fleet as the API shows it. */
@Injectable()
export class FleetView {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** All machines by name, and all agents. */
  async fleet(): Promise<Fleet> {
    const [machines, agents] = await Promise.all([this.machines(), this.#agents()]);
    return { machines, agents };
  }

  async machine(name: string): Promise<MachineView> {
    const [[machine], stored] = await Promise.all([
      this.machines(name),
      this.#sql.one<{ inventory: Inventory | null }>('select inventory from machine where name = $1', [name]),
    ]);
    if (machine === undefined) throw notFound('machine', name);
    return { ...machine, inventory: stored?.inventory ?? null };
  }

  /** One machine, or all of them by name. */
  async machines(only?: string): Promise<MachineSummary[]> {
    const rows = await this.#sql.rows<MachineRow>(
      `select m.name, m.agent, m.description, m.labels, m.desired, m.desired_reason, m.desired_by, m.desired_at,
         m.held_attempt, m.reachable, m.problem, m.configured, m.last_seen_at, m.inventory is not null as has_inventory,
         a.site, ${AGENT_ONLINE} as online, a.last_seen_at as agent_last_seen_at,
         (select jsonb_build_object('attemptId', l.attempt_id, 'runId', j.run_id, 'fence', l.fence,
                                    'expiresAt', l.expires_at)
          from lease l join attempt t on t.id = l.attempt_id join job j on j.id = t.job_id
          where l.machine = m.name and l.released_at is null) as lease,
         coalesce((select jsonb_agg(p.path || jsonb_build_object('combination', jsonb_build_object(
                     'hash', c.hash, 'label', c.label, 'identity', c.identity)) order by p.position)
          from machine_path p join combination c on c.hash = p.combination where p.machine = m.name), '[]') as paths
       from machine m join agent a on a.name = m.agent
       where $1::text is null or m.name = $1 order by m.name`,
      [only ?? null],
    );
    return rows.map(machineSummary);
  }

  async #agents(): Promise<AgentView[]> {
    const rows = await this.#sql.rows<{
      name: string;
      site: string;
      version: string;
      capabilities: string[];
      online: boolean;
      last_seen_at: Date;
    }>(`select a.*, ${AGENT_ONLINE} as online from agent a order by name`);
    return rows.map(({ name, site, version, capabilities, online, last_seen_at }) => ({
      name,
      site,
      version,
      capabilities,
      connected: online,
      lastSeenAt: last_seen_at.toISOString(),
    }));
  }
}

function machineSummary(row: MachineRow): MachineSummary {
  const { name, site, agent, description, labels, desired, paths, lease } = row;
  return {
    name,
    site,
    agent,
    description,
    labels,
    desired,
    desiredBy: desiredBy(row),
    observed: observe(row),
    problem: problemOf(row),
    configured: row.configured,
    lastSeenAt: row.last_seen_at?.toISOString() ?? null,
    lease: lease === null ? null : { ...lease, expiresAt: new Date(lease.expiresAt).toISOString() },
    paths,
  };
}

function desiredBy({ desired_by: name, desired_reason: reason, desired_at: at }: MachineRow): MachineView['desiredBy'] {
  return at === null ? null : { name, reason, at: at.toISOString() };
}

function observe(row: MachineRow): MachineObserved {
  if (!row.online) return 'offline';
  // While an attempt reboots it, an unanswered probe says nothing.
  if (row.lease !== null || row.held_attempt !== null) return 'busy';
  if (!row.reachable) return 'offline';
  return row.has_inventory ? 'online' : 'unknown';
}

function problemOf(row: MachineRow): string | null {
  if (!row.online) {
    return `its agent ${row.agent} has been silent since ${utcText(row.agent_last_seen_at.toISOString())}; start it again`;
  }
  if (row.desired !== 'active' && row.desired_reason !== null) {
    const { desired, desired_by: by, desired_reason: reason } = row;
    return by === null ? reason : `${reason} (${desiredInWords(desired)} by ${by})`;
  }
  if (row.lease === null && row.held_attempt !== null) {
    return `attempt ${row.held_attempt} lost its lease and is being brought to its end on it`;
  }
  if (row.lease !== null || row.reachable) return null;
  return row.problem ?? 'the agent cannot reach it';
}
