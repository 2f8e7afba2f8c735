import { Injectable } from '@nestjs/common';
import {
  ClaimState,
  planClaims,
  type AgentSlots,
  type Claim,
  type Labels,
  type PeerPath,
  type Seat,
  type Wait,
} from '@peerlab/contracts';
import {
  bool,
  columnsOf,
  integer,
  json,
  nullable,
  pick,
  text,
  uuid,
  type RowOf,
} from '../platform/database/row-shape.js';
import { prepared, type Prepared, type Queries } from '../platform/database/sql.js';
import { Job } from '../schema/runs.js';
import {
  bindsAny,
  fitsWish,
  laneMachine,
  ROLES_PROTOCOL,
  serves,
  wishKey,
  wishOfPart,
  type MachineWish,
} from './candidates.js';
import { DUE, goesBefore, ITS_TURN, queueOrder } from './order.js';

/** A machine for a role of a test, with the devices there, and a slot of its agent; null where that has no limit. */
export interface Place {
  role: string;
  machine: string;
  agent: string;
  path: PeerPath;
  slot: number | null;
}

/** A test that can start now, with the place of each of its roles. */
export interface ClaimableTest {
  jobId: string;
  runId: string;
  places: Place[];
}

/** Jobs of the queue that are looked at together, and so at most the tests that start in one transaction. */
const WINDOW = 48;
/** Machines that are read for a job with one role; one with several may need all. */
const SEATS_OF_ONE = 48;
const SEATS_OF_MANY = 2000;

const IS_LEASED = `exists (select 1 from lease l where l.machine = m.name and l.released_at is null)`;
/** It takes tests: now, or when what runs on it has ended. */
const TAKES_TESTS = `m.desired = 'active' and m.reserved is null and agent_online(a) and 'test' = any(a.capabilities)`;
/** Its agent may give it a test now, as far as the agent's slots allow. */
const CAN_START = `${TAKES_TESTS} and m.reachable and not ${IS_LEASED}`;
/** The machine that waited longest since its last job: all of a combination are used alike, and one that just failed last. */
const LEAST_USED = `(select max(l.released_at) from lease l where l.machine = m.name) nulls first, m.name`;

/** The place in the queue `$1` to `$4` is before the job `j`; null = the beginning. */
const AFTER = `($1::timestamptz is null or (${queueOrder('j')}) > ($1, $2::timestamptz, $3::int, $4::uuid))`;
const OF_FREE = `any(array(select combination from free where serves))`;
const ABLE_ALONE = `j.combination = ${OF_FREE} and (j.only_machine is null or j.only_machine in (select name from free))`;
const ABLE_TOGETHER = `j.roles > 1 and exists (select 1 from job_role o where o.job_id = j.id and o.combination = ${OF_FREE})`;
/** A health check, which a machine takes that does not serve yet. */
const ABLE_TO_CHECK = `j.purpose = 'health' and j.only_machine in (select name from free where not serves)`;
/** Queued tests for the hardware of `free` machines, all of them. */
const ABLE = `
  select j.id from job j where j.kind = 'test' and j.state = 'queued' and ${ABLE_ALONE}
  union all select j.id from job j where j.kind = 'test' and j.state = 'queued' and ${ABLE_TOGETHER}
  union select j.id from job j where j.kind = 'test' and j.state = 'queued' and ${ABLE_TO_CHECK}`;
/** Jobs at the beginning of the queue among which they are looked for first. */
const FIRST = 400;
const ABLE_AMONG_FIRST = `
  select j.id from beginning j where j.kind = 'test' and (${ABLE_ALONE} or ${ABLE_TOGETHER} or ${ABLE_TO_CHECK})`;

/** A role of a job in the queue. */
interface RoleRow {
  id: string;
  run_id: string;
  /** The place of the job in the queue, exact: a time of JavaScript has no microseconds. */
  queue_at: string;
  queued_at: string;
  job_position: number;
  same_labels: string[];
  roles: number;
  role: string;
  wish: MachineWish;
  /** Its kernel's modules take the pair that they are told. */
  binds: boolean;
}
const LINE = { is_whole: bool, roles: json<RoleRow[]>() };

/**
 * The roles of the first jobs in the queue of which a free machine has the hardware, and whether all jobs were looked at. In
 * one row, so that this is known when there are none.
 * @param able SQL: ids of queued tests for the hardware of free machines
 */
const lineOf = (able: string, isWhole: string): Prepared =>
  prepared(`
    with free as materialized (
      select m.name, p.combination, m.unproven is null as serves from machine m join agent a on a.name = m.agent
        join machine_path p on p.machine = m.name where ${CAN_START}),
    beginning as materialized (
      select id, kind, combination, only_machine, roles, purpose from job j where j.state = 'queued' and ${AFTER} order by ${queueOrder('j')} limit ${FIRST}),
    able as materialized (${able}),
    line as (
      select j.* from able join job j on j.id = able.id join run r on r.id = j.run_id
      where ${DUE} and ${ITS_TURN}
        and ${AFTER}
      order by ${queueOrder('j')} limit ${WINDOW})
    select ${isWhole} as is_whole, coalesce((
      select jsonb_agg(jsonb_build_object('id', j.id, 'run_id', j.run_id, 'queue_at', j.queue_at::text, 'queued_at', j.queued_at::text,
          'job_position', j.position, 'same_labels', j.same_labels, 'roles', j.roles, 'role', part.role,
          'wish', ${wishOfPart('j', 'part')}, 'binds', ${bindsAny('part.build_id')})
        order by ${queueOrder('j')}, part.position)
      from line j join job_part part on part.job_id = j.id), '[]') as roles`);
const LINE_OF_FIRST = lineOf(ABLE_AMONG_FIRST, `(select count(*) from beginning) < ${FIRST}`);
const LINE_OF_ALL = lineOf(ABLE, 'true');

const SEAT = {
  key: text,
  machine: text,
  agent: text,
  labels: json<Labels>(),
  path: json<PeerPath>(),
  is_free: bool,
  /** Tests that its agent runs at most; null = any number. */
  slots: nullable(integer),
  taken: json<number[]>(),
};
type FoundSeat = Seat & { path: PeerPath };

/** Of each wish the machines that meet it, those that can start first. */
const SEATS = prepared(`select w.key, s.* from jsonb_to_recordset($1)
        as w(key text, combination text, pair int, only_machine text, labels jsonb, own_suites boolean, for_health boolean,
          binds boolean, roles int)
      cross join lateral (
        select m.name as machine, m.agent, m.labels, p.path, ${CAN_START} as is_free, a.test_slots as slots,
          coalesce(case when a.test_slots is not null then (
            select jsonb_agg(l.slot) from lease l
            where l.agent = a.name and l.machine is not null and l.released_at is null) end, '[]') as taken
        from machine_path p join machine m on m.name = p.machine join agent a on a.name = m.agent
        where ${fitsWish('w')} and (p.position = 0 or a.binds_pairs and w.binds) and ${serves('w.for_health')}
          and case when w.roles = 1 then ${CAN_START}
            else ${TAKES_TESTS} and a.protocol >= ${ROLES_PROTOCOL} and (m.reachable or ${IS_LEASED}) end
        order by ${CAN_START} desc, ${LEAST_USED}
        limit case when w.roles = 1 then ${SEATS_OF_ONE} else ${SEATS_OF_MANY} end) s`);
const LOCK_JOBS = prepared(
  `select id, purpose from job where id = any($1) and state = 'queued' order by id for no key update skip locked`,
);
const LOCK_MACHINES = prepared(`
  select m.name from machine m join agent a on a.name = m.agent where m.name = any($1) and ${CAN_START}
    and ${serves('m.name = any($2)')}
  order by m.name for no key update of m skip locked`);

/** Finds the queued tests that can start. Jobs and machines are locked, and skipped where another controller has them locked. */
@Injectable()
export class TestQueue {
  /**
   * The first tests that free machines may take, in their order, with the machines: of those that may, the least recently
   * used ones, by name where none was ever used. Empty = none can start. By the rule of contracts' planClaims; nothing is
   * locked yet. `isAll`: once they have started, no other one can.
   */
  async nextTests(queries: Queries): Promise<{ tests: ClaimableTest[]; isAll: boolean }> {
    const state = new ClaimState();
    for (let after: RoleRow | null = null; ; ) {
      const rows: RoleRow[] = await this.#line(queries, after);
      const last = rows.at(-1);
      if (last === undefined) return { tests: [], isAll: true };
      const tests = await this.#plan(queries, rows, state);
      const isAll = jobsIn(rows) < WINDOW;
      if (tests.length > 0 || isAll) return { tests, isAll };
      after = last;
    }
  }

  /**
   * Locks the tests and their machines; returns those of which all was to be had. What another controller has locked, and
   * what changed since, is left out.
   */
  async lockTests(tx: Queries, tests: readonly ClaimableTest[]): Promise<ClaimableTest[]> {
    const jobs = await tx.rows(pick(columnsOf(Job), 'id', 'purpose'), LOCK_JOBS, [tests.map(({ jobId }) => jobId)]);
    const isLocked = new Set(jobs.map(({ id }) => id));
    const checks = new Set(jobs.flatMap(({ id, purpose }) => (purpose === 'health' ? [id] : [])));
    const placesOf = (some: readonly ClaimableTest[]): string[] =>
      some.flatMap(({ places }) => places.map(({ machine }) => machine));
    const left = tests.filter(({ jobId }) => isLocked.has(jobId));
    const machines = await tx.rows({ name: text }, LOCK_MACHINES, [
      placesOf(left),
      placesOf(left.filter(({ jobId }) => checks.has(jobId))),
    ]);
    const isFree = new Set(machines.map(({ name }) => name));
    return left.filter(({ places }) => places.every(({ machine }) => isFree.has(machine)));
  }

  /**
   * The roles of the first jobs in the queue of which a free machine has the hardware. While many machines are free, the
   * beginning of the queue has enough of them; otherwise they are found by the hardware of those machines, so that a long
   * queue for busy ones costs nothing.
   */
  async #line(queries: Queries, after: RoleRow | null): Promise<RoleRow[]> {
    const first = await this.#read(queries, after, LINE_OF_FIRST);
    if (first.is_whole || jobsIn(first.roles) === WINDOW) return first.roles;
    return (await this.#read(queries, after, LINE_OF_ALL)).roles;
  }

  async #read(queries: Queries, after: RoleRow | null, line: Prepared): Promise<RowOf<typeof LINE>> {
    const { queue_at, queued_at, job_position, id } = after ?? {};
    const row = await queries.one(LINE, line, [queue_at ?? null, queued_at ?? null, job_position ?? null, id ?? null]);
    if (row === null) throw new Error('the line of the queue is one row');
    return row;
  }

  async #plan(queries: Queries, rows: readonly RoleRow[], state: ClaimState): Promise<ClaimableTest[]> {
    const { seatsOf, slots } = await this.#seats(queries, rows);
    const jobs = new Map<string, RoleRow[]>();
    for (const row of rows) jobs.set(row.id, [...(jobs.get(row.id) ?? []), row]);
    const queue = [...jobs].map(([id, roles]) => ({
      id,
      roles: roles.map(seatsOf),
      sameLabels: roles[0]?.same_labels ?? [],
    }));
    const slotsOf = (agent: string): AgentSlots => slots.get(agent) ?? UNLIMITED;
    // Who is the first in line is only asked for those that wait; most farms have none.
    const guess = planClaims(queue, slotsOf, () => false, state.copy());
    const overtaken = await this.#overtaken(queries, guess.waits);
    const isFirst = (id: string, machines: readonly string[]): boolean =>
      machines.every((machine) => overtaken.get(`${id} ${machine}`) === false);
    const { claims } = planClaims(queue, slotsOf, isFirst, state);
    return withSlots(claims, jobs, slots);
  }

  /** By gang and busy machine whether a job with one role stands before it there. */
  async #overtaken(queries: Queries, waits: readonly Wait<FoundSeat>[]): Promise<Map<string, boolean>> {
    const pairs = waits.flatMap(({ id, seats }) =>
      seats.filter(({ isFree }) => !isFree).map(({ machine }) => ({ id, machine })),
    );
    if (pairs.length === 0) return new Map();
    const rows = await queries.rows(
      { id: uuid, machine: text, overtaken: bool },
      `select g.id, m.name as machine, exists (
         select 1 from machine_path p join job j on ${fitsWish('j')} join run r on r.id = j.run_id
         where p.machine = m.name and j.kind = 'test' and j.roles = 1 and ${DUE} and ${ITS_TURN} and ${goesBefore('j', 'g')}
           and (j.lane is null or m.name = coalesce(${laneMachine('j')}, m.name))
           and (p.position = 0 or a.binds_pairs and ${bindsAny('j.build_id')})) as overtaken
       from unnest($1::uuid[], $2::text[]) as w(id, machine) join job g on g.id = w.id join machine m on m.name = w.machine
         join agent a on a.name = m.agent`,
      [pairs.map(({ id }) => id), pairs.map(({ machine }) => machine)],
    );
    return new Map(rows.map(({ id, machine, overtaken }) => [`${id} ${machine}`, overtaken]));
  }

  /** The machines for each role, and the slots of their agents that have a limit. */
  async #seats(
    queries: Queries,
    roles: readonly RoleRow[],
  ): Promise<{ seatsOf: (row: RoleRow) => FoundSeat[]; slots: Map<string, AgentSlots & { unused: number[] }> }> {
    const keyOf = (row: RoleRow): string => `${Math.min(row.roles, 2)} ${row.binds} ${wishKey(row.wish)}`;
    const wishes = new Map(roles.map((row) => [keyOf(row), row]));
    const rows = await queries.rows(SEAT, SEATS, [
      JSON.stringify(
        [...wishes].map(([key, { wish, binds, roles: count }]) => {
          const { onlyMachine, ownSuites, forHealth = false, ...rest } = wish;
          const asked = { only_machine: onlyMachine, own_suites: ownSuites, for_health: forHealth };
          return { key, binds, roles: count, ...asked, ...rest };
        }),
      ),
    ]);
    const seats = new Map<string, FoundSeat[]>();
    const slots = new Map<string, AgentSlots & { unused: number[] }>();
    for (const { key, machine, agent, labels, path, is_free: isFree, slots: total, taken } of rows) {
      const seat = { machine, agent, labels, path, isFree };
      const known = seats.get(key);
      if (known === undefined) seats.set(key, [seat]);
      else known.push(seat);
      if (total === null || slots.has(agent)) continue;
      const unused = Array.from({ length: total }, (_, slot) => slot).filter((slot) => !taken.includes(slot));
      slots.set(agent, { free: unused.length, total, unused });
    }
    return { seatsOf: (row) => seats.get(keyOf(row)) ?? [], slots };
  }

  /** Whether active machines may take a test that could not be restored after on other ones: one for each role. */
  async hasActiveMachines(tx: Queries, jobId: string): Promise<boolean> {
    const found = await tx.one(
      { found: bool },
      `select not exists (
         select 1 from job j join job_part part on part.job_id = j.id
         where j.id = $1 and not exists (
           select 1 from machine_path p join machine m on m.name = p.machine join agent a on a.name = m.agent
           where ${fitsWish('part')} and m.desired = 'active'
             and (p.position = 0 or a.binds_pairs and ${bindsAny('part.build_id')})
             and (j.lane is null or m.name = coalesce(${laneMachine('j', 'part.position')}, m.name)))) as found`,
      [jobId],
    );
    return found?.found === true;
  }
}

const jobsIn = (rows: readonly RoleRow[]): number => new Set(rows.map(({ id }) => id)).size;

const UNLIMITED: AgentSlots = { free: Infinity, total: Infinity };

/** Gives each role the lowest slot of its agent that is left. */
function withSlots(
  claims: readonly Claim<FoundSeat>[],
  jobs: ReadonlyMap<string, readonly RoleRow[]>,
  slots: ReadonlyMap<string, { unused: number[] }>,
): ClaimableTest[] {
  return claims.map(({ id, seats }) => {
    const roles = jobs.get(id) ?? [];
    return {
      jobId: id,
      runId: roles[0]?.run_id ?? '',
      places: seats.map(({ machine, agent, path }, index) => ({
        role: roles[index]?.role ?? '',
        machine,
        agent,
        path,
        slot: slots.get(agent)?.unused.shift() ?? null,
      })),
    };
  });
}
