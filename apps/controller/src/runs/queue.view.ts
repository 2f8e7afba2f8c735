import { Injectable } from '@nestjs/common';
import { compareQueued, type ExpectedStart, type QueuedJob } from '@peerlab/contracts';
import {
  bool,
  columnsOf,
  float,
  integer,
  json,
  nullable,
  text,
  uuid,
  type RowOf,
} from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { Job } from '../schema/runs.js';
import { StorageMeter } from '../storage/storage.js';
import type { PlannedJob } from './planning.js';
import { durationsBySuites, forecastStarts, leftMs, medianMs, type DurationSample } from './queue-forecast.js';
import { BUILDERS, MACHINE_FACTS } from './waiting-facts.js';
import { expectedStart, type MachineFacts } from './waiting.js';

/** With more jobs than this in the queue no start is forecast. */
const LINE_MAX = 2000;
/** Machines whose earlier attempts are read, and how many of each; the other machines are judged by those. */
const SAMPLED_MACHINES = 64;
const SAMPLES = 10;
const BUILD_SAMPLES = 20;
/** From this progress on, in percent, a build is forecast by itself and not by earlier builds. */
const TELLING_PERCENT = 10;

/** A job in the queue, or planned for it. */
interface LineJob extends QueuedJob {
  kind: 'build' | 'test';
  buildId: string;
  machine: string | null;
  suites: string[];
  readyInMs: number;
  /** It waits for its build, which is queued or runs. */
  isBlocked: boolean;
}

const LINE_JOB = {
  id: uuid,
  kind: columnsOf(Job).kind,
  buildId: uuid,
  machine: nullable(text),
  suites: json<string[]>(),
  priority: integer,
  position: integer,
  queuedAtMs: float,
  readyInMs: float,
  isBlocked: bool,
};

/** An attempt that holds a lease. `elapsedMs` is how long it runs, in milliseconds. */
const LEASED_WORK = {
  machine: nullable(text),
  buildId: uuid,
  suites: json<string[]>(),
  elapsedMs: float,
  percent: nullable(float),
};
type LeasedWork = RowOf<typeof LEASED_WORK>;

const QUEUE_MACHINE = { name: text, agent: text, testSlots: nullable(integer) };
const DURATION_SAMPLE = { machine: text, suites: json<string[]>(), ms: float };

/** All that decides when jobs start. */
interface QueueState {
  machines: RowOf<typeof QUEUE_MACHINE>[];
  buildSlots: number;
  line: LineJob[];
  leased: LeasedWork[];
  samples: DurationSample[];
  buildMs: number;
}

const SUITES = `coalesce(to_jsonb(j.suites), r.spec -> 'suites')`;
const LINE_COLUMNS = `j.id, j.kind, j.build_id as "buildId", j.machine, ${SUITES} as suites, r.priority, j.position,
  (extract(epoch from j.queued_at) * 1000)::float8 as "queuedAtMs", j.state = 'blocked' as "isBlocked",
  greatest(0, coalesce(extract(epoch from j.not_before - clock_timestamp()) * 1000, 0))::float8 as "readyInMs"`;

/** Which jobs wait, and when they are expected to start. */
@Injectable()
export class QueueView {
  readonly #sql: Sql;
  readonly #storage: StorageMeter;

  constructor(sql: Sql, storage: StorageMeter) {
    this.#sql = sql;
    this.#storage = storage;
  }

  /** Milliseconds until the waiting jobs of a run are expected to start, by id; unknown ones are left out. */
  async startsOf(runId: string, jobs: readonly { machine: string | null }[]): Promise<Map<string, number>> {
    if (jobs.length === 0) return new Map();
    const machines = jobs.flatMap(({ machine }) => (machine === null ? [] : [machine]));
    return forecast(await this.#state([...new Set(machines)], runId));
  }

  /**
   * When planned jobs could start, in their order, if they were submitted now.
   * @param missing indexes of the builds that have to be made first
   */
  async startsOfPlan(
    jobs: readonly PlannedJob[],
    missing: ReadonlySet<number>,
    priority: number,
  ): Promise<ExpectedStart[]> {
    if (jobs.length === 0) return [];
    const machines = [...new Set(jobs.map(({ machine }) => machine))];
    const [state, facts] = await Promise.all([this.#state(machines, null), this.#facts(machines)]);
    const common = { priority, queuedAtMs: facts.nowMs, readyInMs: 0 };
    const builds = [...missing].map((index): LineJob => {
      const id = `build ${index}`;
      return {
        ...common,
        id,
        kind: 'build',
        buildId: id,
        machine: null,
        suites: [],
        position: index,
        isBlocked: false,
      };
    });
    const planned = jobs.map(
      ({ machine, suites, buildIndex }, index): LineJob => ({
        ...common,
        id: `test ${index}`,
        kind: 'test',
        buildId: `build ${buildIndex}`,
        machine,
        suites,
        position: missing.size + index,
        isBlocked: missing.has(buildIndex),
      }),
    );
    const all = { ...state, line: [...state.line, ...builds, ...planned] };
    const starts = forecast(all);
    const ahead = placesOf(all.line);
    return planned.map((job) => {
      const machine = facts.machines.get(job.machine ?? '');
      if (machine === undefined) {
        return { when: 'blocked', inMs: null, text: `${job.machine} is not known any more`, lastSeenAt: null };
      }
      return expectedStart({
        kind: 'test',
        state: job.isBlocked ? 'blocked' : 'queued',
        build: job.buildId,
        ahead: ahead.get(job.id) ?? 0,
        startsInMs: starts.get(job.id) ?? null,
        pausedUntil: null,
        machine,
        storageFull: facts.storageFull,
        builders: facts.builders,
        note: null,
        attempts: 0,
      });
    });
  }

  async #facts(machines: readonly string[]): Promise<{
    machines: Map<string, MachineFacts>;
    builders: number;
    storageFull: boolean;
    nowMs: number;
  }> {
    const row = await this.#sql.one(
      { now: float, builders: integer, facts: json<MachineFacts[]>() },
      `select (extract(epoch from clock_timestamp()) * 1000)::float8 as now, ${BUILDERS} as builders,
         (select coalesce(jsonb_agg(${MACHINE_FACTS}), '[]')
           from machine m join agent a on a.name = m.agent where m.name = any($1)) as facts`,
      [machines],
    );
    if (row === null) throw new Error('a select without from has one row');
    const { now: nowMs, builders, facts } = row;
    const storageFull = !(await this.#storage.hasRoom());
    return { machines: new Map(facts.map((each) => [each.name, each])), builders, storageFull, nowMs };
  }

  /** All that decides when jobs on these machines start. `runId`: also its jobs that wait for a build. */
  async #state(named: readonly string[], runId: string | null): Promise<QueueState> {
    // Where an agent limits how much it runs at once, its other machines matter too.
    const machines = await this.#sql.rows(
      QUEUE_MACHINE,
      `select m.name, m.agent, a.test_slots as "testSlots" from machine m join agent a on a.name = m.agent
       where m.name = any($1) or (a.test_slots is not null and m.agent in (select agent from machine where name = any($1)))
       order by m.name`,
      [named],
    );
    const names = machines.map(({ name }) => name);
    const [slots, line, leased, samples, builds] = await Promise.all([
      this.#sql.one(
        { n: integer },
        `select coalesce(sum(build_slots), 0)::int as n from agent a where 'build' = any(a.capabilities) and agent_online(a)`,
      ),
      this.#sql.rows(
        LINE_JOB,
        `select * from (
           select ${LINE_COLUMNS} from job j join run r on r.id = j.run_id
           where j.state = 'queued' and j.kind = 'test' and j.machine = any($1) and not r.cancel_requested
           union all select ${LINE_COLUMNS} from job j join run r on r.id = j.run_id
           where j.state = 'queued' and j.kind = 'build' and not r.cancel_requested
           union all select ${LINE_COLUMNS} from job j join run r on r.id = j.run_id
           where j.state = 'blocked' and j.run_id = $2) line limit $3`,
        [names, runId, LINE_MAX + 1],
      ),
      this.#sql.rows(
        LEASED_WORK,
        `select l.machine, j.build_id as "buildId", ${SUITES} as suites, (t.progress ->> 'percent')::float8 as percent,
           (extract(epoch from clock_timestamp() - t.started_at) * 1000)::float8 as "elapsedMs"
         from lease l join attempt t on t.id = l.attempt_id join job j on j.id = t.job_id join run r on r.id = j.run_id
         where l.released_at is null and (l.machine is null or l.machine = any($1))`,
        [names],
      ),
      this.#sql.rows(
        DURATION_SAMPLE,
        `select s.* from unnest($1::text[]) as m(name) cross join lateral (
           select t.machine, ${SUITES} as suites, (extract(epoch from t.ended_at - t.started_at) * 1000)::float8 as ms
           from attempt t join job j on j.id = t.job_id join run r on r.id = j.run_id
           where t.machine = m.name and t.state = 'ended' and t.failure is null
           order by t.started_at desc limit $2) s`,
        [[...new Set([...named, ...names])].slice(0, SAMPLED_MACHINES), SAMPLES],
      ),
      this.#sql.rows(
        { ms: float },
        `select (extract(epoch from t.ended_at - t.started_at) * 1000)::float8 as ms
         from (select id from build order by created_at desc, id desc limit $1) b
           join job j on j.build_id = b.id and j.kind = 'build' join attempt t on t.job_id = j.id
         where t.state = 'ended' and t.failure is null`,
        [BUILD_SAMPLES],
      ),
    ]);
    return {
      machines,
      buildSlots: slots?.n ?? 0,
      line,
      leased,
      samples,
      buildMs: medianMs(builds.map(({ ms }) => ms)),
    };
  }
}

/** When everything in the line is expected to start, milliseconds from now by id, as far as it is known. Pure. */
function forecast({ machines, buildSlots, line, leased, samples, buildMs }: QueueState): Map<string, number> {
  const starts = new Map<string, number>();
  if (line.length > LINE_MAX) return starts;
  const ordered = line.toSorted(compareQueued);
  const builds = ordered.filter(({ kind }) => kind === 'build');
  const building = leased.filter(({ machine }) => machine === null);
  const ofBuilds = forecastStarts(
    builds.map(({ id, readyInMs }) => ({ id, machine: null, durationMs: buildMs, readyInMs })),
    building.map((each) => ({ machine: null, leftMs: leftOfBuild(each, buildMs) })),
    buildSlots,
  );
  const builtInMs = new Map([
    ...building.map((each): [string, number] => [each.buildId, leftOfBuild(each, buildMs)]),
    ...builds.map(({ id, buildId }): [string, number] => [buildId, (ofBuilds.get(id) ?? Infinity) + buildMs]),
  ]);
  const durationOf = durationsBySuites(samples);
  const groups = groupsOf(machines);
  for (const job of ordered) groups.of(job)?.tests.push(job);
  for (const each of leased) groups.of(each)?.leased.push(each);
  for (const group of groups.all) {
    const found = forecastStarts(
      group.tests.map(({ id, machine, suites, readyInMs, isBlocked, buildId }) => ({
        id,
        machine,
        durationMs: durationOf(machine ?? '', suites),
        readyInMs: isBlocked ? (builtInMs.get(buildId) ?? Infinity) : readyInMs,
      })),
      group.leased.map(({ machine, suites, elapsedMs }) => ({
        machine,
        leftMs: leftMs(durationOf(machine ?? '', suites), elapsedMs),
      })),
      group.slots,
    );
    for (const [id, ms] of found) starts.set(id, ms);
  }
  for (const [id, ms] of ofBuilds) starts.set(id, ms);
  for (const [id, ms] of starts) if (ms === Infinity) starts.delete(id);
  return starts;
}

function leftOfBuild({ percent, elapsedMs }: LeasedWork, buildMs: number): number {
  if (percent === null || percent < TELLING_PERCENT) return leftMs(buildMs, elapsedMs);
  return (elapsedMs * (100 - percent)) / percent;
}

interface Group {
  slots: number;
  tests: LineJob[];
  leased: LeasedWork[];
}

/** Machines that share slots; each alone where there is no limit. */
function groupsOf(machines: QueueState['machines']): {
  all: Iterable<Group>;
  of: (work: { machine: string | null }) => Group | undefined;
} {
  const groups = new Map<string, Group>();
  const byMachine = new Map<string, Group>();
  for (const { name, agent, testSlots } of machines) {
    const key = testSlots === null ? `machine ${name}` : `agent ${agent}`;
    const group = groups.get(key) ?? { slots: testSlots ?? Infinity, tests: [], leased: [] };
    groups.set(key, group);
    byMachine.set(name, group);
  }
  return { all: groups.values(), of: ({ machine }) => (machine === null ? undefined : byMachine.get(machine)) };
}

/** How many jobs go before each one on the same machine, by id. */
function placesOf(line: readonly LineJob[]): Map<string, number> {
  const places = new Map<string, number>();
  const counted = new Map<string | null, number>();
  for (const { id, machine } of line.toSorted(compareQueued)) {
    const place = counted.get(machine) ?? 0;
    places.set(id, place);
    counted.set(machine, place + 1);
  }
  return places;
}
