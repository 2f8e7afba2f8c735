import type { AgentMachine } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { jsonb } from '../platform/database/storable.js';
import { columnsOf, pick, type RowOf } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { Machine } from '../schema/fleet.js';

/** Machines named in a log line about many; an agent reports every few seconds. */
const NAMED_MAX = 5;

/** SQL condition on a row of `machine`: nothing runs on it. */
const FREE = `not exists (select 1 from lease l where l.machine = machine.name and l.released_at is null)`;

/**
 * SQL condition on a row of `machine` that belongs to another agent: the agent $1 may take it. A person freed
 * the name; or its agent is away and both are of one site, which a person confirmed of the agent $1.
 */
const TAKABLE = `(${FREE} and (machine.forgotten or exists (
  select 1 from agent old join agent new on new.name = $1 and new.site = old.site and new.site_confirmed
  where old.name = machine.agent and not exists (select 1 from agent a where a.name = old.name and agent_online(a)))))`;

const OWN_MACHINE = pick(columnsOf(Machine), 'name', 'reachable', 'problem');
type OwnMachine = RowOf<typeof OWN_MACHINE>;

/** What holds for machines that are not known yet. */
export interface Registration {
  /** Names that an agent may have. */
  machinesMax: number;
  /** They have to pass a health check before they serve. */
  mustProve: boolean;
}

const NEVER_CHECKED = 'it has not passed its first health check';

/**
 * Stores what an agent reports of its machines. Names of other agents' machines are left alone, and so is every
 * new name beyond the quota: all names that the agent ever had count, until a person forgets them.
 * @returns whether anything that people or dispatch look at changed
 */
export async function recordMachines(
  tx: Queries,
  agent: string,
  machines: readonly AgentMachine[],
  { machinesMax, mustProve }: Registration,
): Promise<boolean> {
  const own = await tx.rows(
    OWN_MACHINE,
    'select name, reachable, problem from machine where agent = $1 and not forgotten',
    [agent],
  );
  const known = new Map(own.map((machine) => [machine.name, machine]));
  const rows = await withinQuota(tx, agent, machines, known, machinesMax);
  await tx.run(
    `insert into machine (name, agent, description, labels, reachable, problem, last_seen_at, unproven, unproven_at)
     select m.name, $1, m.description, m.labels, m.reachable, m.problem,
            case when m.reachable then clock_timestamp() end, $3, case when $3::text is not null then clock_timestamp() end
     from jsonb_to_recordset($2) as m(name text, description text, labels jsonb, reachable boolean, problem text)
     on conflict (name) do update set agent = excluded.agent, description = excluded.description,
       labels = excluded.labels, reachable = excluded.reachable, problem = excluded.problem, configured = true,
       forgotten = false,
       -- Whoever names a forgotten machine may have put other hardware behind the name.
       unproven = case when machine.forgotten then coalesce(excluded.unproven, machine.unproven) else machine.unproven end,
       unproven_at = case when machine.forgotten then coalesce(excluded.unproven_at, machine.unproven_at)
         else machine.unproven_at end,
       last_seen_at = coalesce(excluded.last_seen_at, machine.last_seen_at)
     where (machine.agent = excluded.agent and not machine.forgotten) or ${TAKABLE}`,
    [agent, jsonb(rows), mustProve ? NEVER_CHECKED : null],
  );
  // What the agent no longer names is out of reach; its history stays.
  const gone = await tx.run(
    `update machine set reachable = false, configured = false,
       problem = 'its agent no longer has it in its configuration'
     where agent = $1 and configured and not (name = any($2))`,
    [agent, rows.map(({ name }) => name)],
  );
  return (
    gone > 0 ||
    rows.some(({ name, reachable, problem }) => {
      const old = known.get(name);
      return old === undefined || old.reachable !== reachable || old.problem !== problem;
    })
  );
}

/** The machines that the agent has or may take, by name, each once. The others are logged. */
async function withinQuota(
  tx: Queries,
  agent: string,
  machines: readonly AgentMachine[],
  known: ReadonlyMap<string, OwnMachine>,
  machinesMax: number,
): Promise<AgentMachine[]> {
  const offered = [...new Map(machines.map((machine) => [machine.name, machine])).values()];
  const rows = offered.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const fresh = rows.filter(({ name }) => !known.has(name)).map(({ name }) => name);
  if (fresh.length === 0) return rows;
  const foreign = await tx.rows(
    pick(OWN_MACHINE, 'name'),
    `select name from machine where name = any($2) and not ${TAKABLE}`,
    [agent, fresh],
  );
  const others = new Set(foreign.map(({ name }) => name));
  const takable = fresh.filter((name) => !others.has(name));
  const taken = new Set(takable.slice(0, Math.max(0, machinesMax - known.size)));
  warn('machines-of-another-agent', agent, [...others]);
  warn(
    'too-many-machines',
    agent,
    takable.filter((name) => !taken.has(name)),
  );
  return rows.filter(({ name }) => known.has(name) || taken.has(name));
}

function warn(event: string, agent: string, machines: readonly string[]): void {
  if (machines.length === 0) return;
  log.warn({ agent, count: machines.length, first: machines.slice(0, NAMED_MAX) }, event);
}

/** Notes a fence that a machine showed and that no attempt on it was given, so that the next attempt may replace it. */
export async function noteForgedFence(tx: Queries, machine: string, fence: number): Promise<void> {
  await tx.run('update machine set forged_fence = $2 where name = $1', [machine, fence]);
}
