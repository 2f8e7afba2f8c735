import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import {
  canonicalJson,
  combinationLabel,
  combinationOf,
  PATH_ENDS_MAX,
  pathEnds,
  peerPaths,
  type AgentMachine,
  type FromAgent,
  type HeldParticipant,
  type Inventory,
  type MachineCheck,
  type MachineCheckRun,
  type MachineDesired,
  type MachineEvent,
} from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { SETTINGS_TOKEN, type Settings } from '../platform/config.js';
import { announce } from '../platform/database/bus.js';
import { bool, text } from '../platform/database/row-shape.js';
import { jsonb, storable } from '../platform/database/storable.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';
import { InventoryRefused, recordCombinations } from './combination-register.js';
import { changeDesired, noteChange } from './desired-memory.js';
import { rememberInventory } from './inventory-memory.js';
import { recordMachines, type Registration } from './machine-register.js';

export type Hello = Extract<FromAgent, { type: 'hello' }>;

export { InventoryRefused };

/** Jobs of one kind that one agent is given at the same time: dispatch lists the slots of each agent, each time. */
export const SLOTS_MAX = 2000;

/** Logs may be searched long after their attempt, as after an upgrade: what hardware told before that says nothing of today. */
const ALARM_DAYS = 7;

/** Agents, machines and what the farm knows of their hardware. */
@Injectable()
export class FleetService {
  readonly #sql: Sql;
  readonly #machinesMax: number;
  /** Machines have to pass a health check before they serve. */
  readonly #mustProve: boolean;

  constructor(sql: Sql, @Inject(SETTINGS_TOKEN) settings: Settings) {
    this.#sql = sql;
    this.#machinesMax = settings.agentMachines;
    this.#mustProve = settings.health.enabled;
  }

  get #registration(): Registration {
    return { machinesMax: this.#machinesMax, mustProve: this.#mustProve };
  }

  /**
   * Records an agent that introduced itself, with its machines. `connection` supersedes an older one. The
   * agent's site was checked before (site.service.ts) and stays; `siteConfirmed` = a person made its token for it.
   */
  async agentConnected(hello: Hello, connection: string, siteConfirmed: boolean): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      await tx.run(
        `insert into agent (name, site, version, capabilities, build_slots, test_slots, connected, connection,
           last_seen_at, site_confirmed, catalogue, binds_pairs, protocol, restores, opens_terminals)
         values ($1, $2, $3, $4, $5, $6, true, $7, clock_timestamp(), $8, $9, $10, $11, $12, $13)
         on conflict (name) do update set version = excluded.version,
           capabilities = excluded.capabilities, build_slots = excluded.build_slots,
           test_slots = excluded.test_slots, catalogue = excluded.catalogue, binds_pairs = excluded.binds_pairs,
           protocol = excluded.protocol, restores = excluded.restores,
           opens_terminals = excluded.opens_terminals, connected = true,
           connection = excluded.connection, last_seen_at = excluded.last_seen_at,
           site_confirmed = agent.site_confirmed or excluded.site_confirmed`,
        [
          hello.agent,
          hello.site,
          storable(hello.version),
          hello.capabilities,
          Math.min(hello.buildSlots, SLOTS_MAX),
          hello.testSlots === null ? null : Math.min(hello.testSlots, SLOTS_MAX),
          connection,
          siteConfirmed,
          hello.catalogue === undefined ? null : jsonb(hello.catalogue),
          hello.bindsPairs === true,
          hello.protocol,
          hello.reservations !== undefined,
          hello.opensTerminals === true,
        ],
      );
      await recordMachines(tx, hello.agent, hello.machines, this.#registration);
      await this.#recordHeld(tx, hello.agent, hello.participants);
      await announce(
        tx,
        { type: 'agent-connected', agent: hello.agent, connection },
        { type: 'changed', topics: ['machines'] },
        { type: 'dispatch' },
      );
    });
  }

  /** Records a heartbeat with the state of all machines; false when a newer connection speaks for the agent. */
  async recordHeartbeat(
    agent: string,
    connection: string,
    machines: readonly AgentMachine[],
    attempts: readonly HeldParticipant[],
  ): Promise<boolean> {
    return this.#sql.transaction(async (tx) => {
      // NO KEY: a claim that holds a machine refers to this row, and must not wait for it.
      const before = await tx.one(
        { online: bool },
        `select agent_online(a) as online from agent a where name = $1 and connection = $2 for no key update`,
        [agent, connection],
      );
      if (before === null) return false;
      await tx.run('update agent set connected = true, last_seen_at = clock_timestamp() where name = $1', [agent]);
      const changed = await recordMachines(tx, agent, machines, this.#registration);
      const moved = await this.#recordHeld(tx, agent, attempts);
      if (changed || moved || !before.online) {
        await announce(tx, { type: 'changed', topics: ['machines', 'runs'] }, { type: 'dispatch' });
      }
      return true;
    });
  }

  /** Whether no newer connection has taken over. */
  async speaksFor(agent: string, connection: string): Promise<boolean> {
    const row = await this.#sql.one({ speaks: bool }, 'select connection = $2 as speaks from agent where name = $1', [
      agent,
      connection,
    ]);
    return row?.speaks === true;
  }

  /** The connection ended; does nothing when a newer one has taken over. */
  async agentDisconnected(agent: string, connection: string): Promise<void> {
    const touched = await this.#sql.run(
      'update agent set connected = false, connection = null where name = $1 and connection = $2',
      [agent, connection],
    );
    if (touched > 0) await announce(this.#sql, { type: 'changed', topics: ['machines', 'runs'] });
  }

  /** Marks agents without a recent heartbeat as disconnected; returns their names. */
  async noticeLost(): Promise<string[]> {
    const lost = await this.#sql.rows(
      { name: text },
      `update agent a set connected = false, connection = null where a.connected and not agent_online(a) returning name`,
    );
    if (lost.length > 0) await announce(this.#sql, { type: 'changed', topics: ['machines', 'runs'] });
    return lost.map(({ name }) => name);
  }

  /**
   * Stores an inventory, the peer paths predicted from it and their combinations. Throws InventoryRefused when the
   * agent brought too many new combinations; nothing is stored then. `checks` null = it has not looked, `checkRuns` null = it
   * told of none: the ones before stay.
   */
  async recordInventory(
    agent: string,
    machine: string,
    inventory: Inventory,
    checks: readonly MachineCheck[] | null = null,
    checkRuns: readonly MachineCheckRun[] | null = null,
  ): Promise<void> {
    const { provider: providers, client: clients } = pathEnds(inventory);
    if (Math.max(providers.length, clients.length) > PATH_ENDS_MAX) {
      const counts = { providers: providers.length, clients: clients.length, lookedAt: PATH_ENDS_MAX };
      log.warn({ agent, machine, ...counts }, 'too-many-path-ends');
    }
    const paths = peerPaths(inventory).map((path) => {
      const identity = combinationOf(inventory, path);
      const hash = createHash('sha256').update(canonicalJson(identity)).digest('hex');
      return { path, identity, hash, label: combinationLabel(identity) };
    });
    await this.#sql.transaction(async (tx) => {
      const owned = await tx.run(
        `update machine set inventory = $3, checks = coalesce($4, checks),
           checked_at = case when $4::jsonb is null then checked_at else now() end,
           check_runs = coalesce($5, check_runs)
         where name = $1 and agent = $2 and not forgotten`,
        [
          machine,
          agent,
          jsonb(inventory),
          checks === null ? null : jsonb(checks),
          checkRuns === null ? null : jsonb(checkRuns),
        ],
      );
      if (owned === 0) {
        log.warn({ agent, machine }, 'foreign-inventory-ignored');
        return;
      }
      await rememberInventory(tx, machine, inventory);
      await recordCombinations(tx, agent, paths);
      await tx.run('delete from machine_path where machine = $1', [machine]);
      const rows = paths.map(({ hash, path }, position) => ({ position, hash, path }));
      await tx.run(
        `insert into machine_path (machine, position, combination, path, ordinal)
         select $1, p.position, p.hash, p.path, row_number() over (partition by p.hash order by p.position) - 1
         from jsonb_to_recordset($2) as p(position int, hash text, path jsonb)`,
        [machine, jsonb(rows)],
      );
      // Jobs may wait for what the machine has now.
      await announce(tx, { type: 'changed', topics: ['machines', 'runs'] }, { type: 'dispatch' });
    });
  }

  /** Takes a machine of the agent out of reach, with a reason; false when it is not the agent's. */
  async noteProblem(agent: string, machine: string, problem: string): Promise<boolean> {
    const touched = await this.#sql.run(
      'update machine set reachable = false, problem = $3 where name = $1 and agent = $2 and not forgotten',
      [machine, agent, storable(problem)],
    );
    if (touched > 0) await announce(this.#sql, { type: 'changed', topics: ['machines', 'runs'] });
    return touched > 0;
  }

  /** Changes the desired state of a machine; kept until a person changes it again. Throws a 404 problem. */
  async setDesired(machine: string, desired: MachineDesired, by: string, reason: string): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      const isKnown = await changeDesired(tx, machine, { desired, by, reason }, this.#mustProve);
      if (!isKnown) throw notFound('machine', machine);
      await announce(tx, { type: 'changed', topics: ['machines', 'runs'] }, { type: 'dispatch' });
    });
  }

  /** The farm's own quarantine. The first reason stays until a person has looked: what comes after it is in the history alone. */
  async quarantine(tx: Queries, machine: string, reason: string): Promise<void> {
    const isSo = await tx.exists(`select 1 from machine where name = $1 and desired = 'quarantined' for update`, [
      machine,
    ]);
    if (isSo) await noteChange(tx, machine, { event: null, by: null, reason });
    else await changeDesired(tx, machine, { desired: 'quarantined', by: null, reason });
    await announce(tx, { type: 'changed', topics: ['machines'] });
  }

  /** Which reservation keeps the machine from jobs; null = none. The transaction holds the machine's lock. */
  async setReserved(tx: Queries, machine: string, reservation: string | null): Promise<void> {
    await tx.run('update machine set reserved = $2 where name = $1', [machine, reservation]);
  }

  /** Who did what with a machine, as its page shows it. The transaction holds the machine's lock. */
  async noteEvent(
    tx: Queries,
    machine: string,
    note: { event: MachineEvent; by: string | null; reason: string },
  ): Promise<void> {
    await noteChange(tx, machine, note);
  }

  /** The machine takes nothing but its health check until it has passed one that begins from now on. */
  async hold(tx: Queries, machine: string, reason: string): Promise<void> {
    await tx.run('update machine set unproven = $2, unproven_at = clock_timestamp() where name = $1', [
      machine,
      storable(reason),
    ]);
  }

  /** As `hold`, where the farm checks machines by itself; else nothing would end it, and nothing is done. */
  async distrust(tx: Queries, machine: string, reason: string): Promise<void> {
    if (this.#mustProve) await this.hold(tx, machine, reason);
  }

  /**
   * The hardware told of an error that nothing corrected, in an attempt that ended at `endedAt`. Where the farm checks machines by
   * itself, the machine is held; else it goes into quarantine, unless a person activated it since, or that was ALARM_DAYS ago. What
   * runs on it runs on.
   */
  async takeAlarm(tx: Queries, machine: string, { reason, endedAt }: { reason: string; endedAt: Date }): Promise<void> {
    if (this.#mustProve) {
      await this.hold(tx, machine, reason);
      return;
    }
    const isPast = await tx.exists(
      `select 1 from machine where name = $1 and ($2::timestamptz < clock_timestamp() - interval '${ALARM_DAYS} days'
         or desired = 'active' and desired_at > $2::timestamptz) for update`,
      [machine, endedAt],
    );
    if (isPast) log.info({ machine, reason }, 'past-hardware-alarm');
    else await this.quarantine(tx, machine, `${reason}; look at its hardware, then activate it`);
  }

  /** A health check that was asked for at `since` passed: the machine serves, unless it was held again meanwhile. */
  async release(tx: Queries, machine: string, since: Date): Promise<void> {
    await tx.run(
      // Dates have milliseconds, the column has microseconds.
      `update machine set unproven = null, unproven_at = null
       where name = $1 and unproven_at <= $2::timestamptz + interval '1 ms'`,
      [machine, since],
    );
  }

  /** The participant on this machine has ended; does nothing when another one is there by now. */
  async clearHeldParticipant(tx: Queries, machine: string, participantId: string): Promise<void> {
    await tx.run('update machine set held_participant = null where name = $1 and held_participant = $2', [
      machine,
      participantId,
    ]);
  }

  /** Notes which participants the agent has on its machines, the oldest where there are several; true when that changed. */
  async #recordHeld(tx: Queries, agent: string, held: readonly HeldParticipant[]): Promise<boolean> {
    const working = held.filter(({ machine, state }) => machine !== null && state !== 'finished');
    const changed = await tx.run(
      `with held as (
         select distinct on (h.machine) h.machine, h.participant
         from unnest($2::text[], $3::uuid[], $4::bigint[]) as h(machine, participant, fence)
         -- One that this farm does not know is shown; one of another agent is not this agent's to show.
         where not exists (select 1 from participant p where p.id = h.participant and p.agent <> $1)
         order by h.machine, h.fence),
       now as (
         select m.name, held.participant from machine m left join held on held.machine = m.name where m.agent = $1)
       update machine m set held_participant = now.participant from now
       where m.name = now.name and m.held_participant is distinct from now.participant`,
      [
        agent,
        working.map(({ machine }) => machine),
        working.map(({ participantId }) => participantId),
        working.map(({ fence }) => fence),
      ],
    );
    return changed > 0;
  }
}
