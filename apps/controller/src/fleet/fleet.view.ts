import { Injectable } from '@nestjs/common';
import {
  desiredInWords,
  type AgentView,
  type Combination,
  type FarmCatalogue,
  type Fleet,
  type MachineObserved,
  type MachineSummary,
  type MachineView,
  type PeerPath,
  type Reservation,
  reservedInWords,
  utcText,
} from '@peerlab/contracts';
import { bool, columnsOf, json, nullable, pick, uuid, type RowOf } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { Agent, Machine } from '../schema/fleet.js';
import { notFound } from '../platform/http/problem.js';
import { readCatalogue } from './catalogue.js';

const MACHINE = columnsOf(Machine);
const AGENT = columnsOf(Agent);

const MACHINE_ROW = {
  ...pick(MACHINE, 'name', 'agent', 'description', 'labels', 'desired', 'desired_reason', 'desired_by', 'desired_at'),
  held_attempt: nullable(uuid),
  ...pick(MACHINE, 'reachable', 'problem', 'configured', 'last_seen_at', 'unproven'),
  has_inventory: bool,
  site: AGENT.site,
  online: bool,
  runs_own_suites: bool,
  agent_last_seen_at: AGENT.last_seen_at,
  lease: nullable(json<{ attemptId: string; runId: string; fence: number; expiresAt: string }>()),
  reservation: nullable(json<Reservation>()),
  paths: json<(PeerPath & { combination: Combination })[]>(),
};
type MachineRow = RowOf<typeof MACHINE_ROW>;

const AGENT_ROW = { ...pick(AGENT, 'name', 'site', 'version', 'capabilities', 'last_seen_at'), online: bool };

/** SQL: a time as the API has it; null stays null. */
const iso = (time: string): string => `to_char(${time} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
/** SQL: the reservation `r` as the API has it. */
const RESERVATION_JSON = `jsonb_build_object('id', r.id, 'machine', r.machine, 'holder', r.holder, 'reason', r.reason,
  'state', r.state, 'seconds', r.seconds, 'fence', r.fence, 'requestedAt', ${iso('r.requested_at')}, 'begunAt', ${iso('r.begun_at')},
  'until', ${iso('r.until')}, 'returnedAt', ${iso('r.returned_at')}, 'returnedBy', r.returned_by, 'endedAt', ${iso('r.ended_at')},
  'outcome', r.outcome, 'detail', r.detail)`;

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

  /** Suites and configurations that runs may name. */
  catalogue(): Promise<FarmCatalogue> {
    return readCatalogue(this.#sql);
  }

  /** The same for those who write runs, with the RDMA devices. It reads all inventories. */
  async offered(): Promise<FarmCatalogue> {
    const [catalogue, devices] = await Promise.all([readCatalogue(this.#sql), this.rdmaDevices()]);
    const names = [...devices.values()].flatMap((byAddress) => [...byAddress.values()].flat());
    return { ...catalogue, rdmaDevices: [...new Set(names)].toSorted() };
  }

  async machine(name: string): Promise<MachineView> {
    const [[machine], stored] = await Promise.all([
      this.machines(name),
      this.#sql.one(
        pick(MACHINE, 'inventory', 'checks', 'checked_at', 'check_runs'),
        'select inventory, checks, checked_at, check_runs from machine where name = $1',
        [name],
      ),
    ]);
    if (machine === undefined) throw notFound('machine', name);
    const { inventory = null, checks: list = null, checked_at: at = null, check_runs: checkRuns } = stored ?? {};
    const checks = list === null || at === null ? null : { at: at.toISOString(), list };
    return { ...machine, inventory, checks, checkRuns: checkRuns ?? [] };
  }

  /** One machine, or all of them by name. */
  async machines(only?: string): Promise<MachineSummary[]> {
    const rows = await this.#sql.rows(
      MACHINE_ROW,
      `select m.name, m.agent, m.description, m.labels, m.desired, m.desired_reason, m.desired_by, m.desired_at,
         coalesce((select p.attempt_id from participant p where p.id = m.held_participant), m.held_participant)
           as held_attempt,
         m.reachable, m.problem, m.configured, m.last_seen_at, m.unproven, m.inventory is not null as has_inventory,
         a.site, agent_online(a) as online, a.catalogue is not null as runs_own_suites, a.last_seen_at as agent_last_seen_at,
         (select jsonb_build_object('attemptId', p.attempt_id, 'runId', j.run_id, 'fence', l.fence,
                                    'expiresAt', l.expires_at)
          from lease l join participant p on p.id = l.participant_id join attempt t on t.id = p.attempt_id
            join job j on j.id = t.job_id
          where l.machine = m.name and l.released_at is null) as lease,
         (select ${RESERVATION_JSON} from reservation r where r.id = m.reserved) as reservation,
         coalesce((select jsonb_agg(p.path || jsonb_build_object('combination', jsonb_build_object(
                     'hash', c.hash, 'label', c.label, 'identity', c.identity)) order by p.position)
          from machine_path p join combination c on c.hash = p.combination where p.machine = m.name), '[]') as paths
       from machine m join agent a on a.name = m.agent
       where $1::text is null or m.name = $1 order by m.name`,
      [only ?? null],
    );
    return rows.map(machineSummary);
  }

  /** Names of the RDMA devices of each machine, by the address of their function, as its inventory has them. */
  async rdmaDevices(): Promise<Map<string, ReadonlyMap<string, readonly string[]>>> {
    const rows = await this.#sql.rows(
      { ...pick(MACHINE, 'name'), devices: json<Record<string, string[]>>() },
      `select m.name, jsonb_object_agg(f.function ->> 'address', f.function -> 'rdmaDevices') as devices
       from machine m cross join lateral jsonb_array_elements(m.inventory -> 'functions') as f(function)
       where jsonb_array_length(coalesce(f.function -> 'rdmaDevices', '[]')) > 0 group by m.name`,
    );
    return new Map(rows.map(({ name, devices }) => [name, new Map(Object.entries(devices))]));
  }

  async #agents(): Promise<AgentView[]> {
    const rows = await this.#sql.rows(
      AGENT_ROW,
      `select a.name, a.site, a.version, a.capabilities, a.last_seen_at, agent_online(a) as online
       from agent a order by a.name`,
    );
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
    unproven: row.unproven,
    configured: row.configured,
    runsOwnSuites: row.runs_own_suites,
    lastSeenAt: row.last_seen_at?.toISOString() ?? null,
    ...(row.reservation === null ? {} : { reservation: row.reservation }),
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
  if (row.lease === null && row.held_attempt !== null) {
    return `attempt ${row.held_attempt} lost its lease and is still being cleaned up here`;
  }
  if (row.desired !== 'active' && row.desired_reason !== null) {
    const { desired, desired_by: by, desired_reason: reason } = row;
    return by === null ? reason : `${reason} (${desiredInWords(desired)} by ${by})`;
  }
  // Its holder may do with it what is needed: that it does not answer is no trouble.
  if (row.reservation !== null) return `it is ${reservedInWords(row.reservation)}`;
  if (row.lease === null && row.reachable && row.unproven !== null) {
    return `it takes no jobs until its health check has passed: ${row.unproven}`;
  }
  if (row.lease !== null || row.reachable) return null;
  return row.problem ?? 'the agent cannot reach it';
}
