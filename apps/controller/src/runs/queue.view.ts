import { Injectable } from '@nestjs/common';
import {
  compareQueued,
  type BuildEstimate,
  type BuildSpec,
  type ExpectedStart,
  type QueuedJob,
} from '@peerlab/contracts';
import { IS_CACHED } from '../attempts/attempt.view.js';
import { inputsOf, sizeOf } from '../builds/build-inputs.js';
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
import type { StoredProgress } from '../schema/attempts.js';
import { Job } from '../schema/runs.js';
import { StorageMeter } from '../storage/storage.js';
import { estimateBuild, type BuildSample } from './build-durations.js';
import { leftOfBuildMs } from './build-forecast.js';
import type { PlannedJob } from './planning.js';
import { fitsWish, readCandidates, rolesColumn, wishKey, type MachineWish, type RoleWish } from './candidates.js';
import {
  type DurationSample,
  durationsBySuites,
  forecastStarts,
  leftMs,
  sharedSlots,
  type Slots,
} from './queue-forecast.js';
import { BUILDERS } from './waiting-facts.js';
import { expectedStart } from './waiting.js';

/** With more jobs than this in the queue no start is forecast. */
const LINE_MAX = 2000;
/** Machines whose earlier attempts are read, and how many of each; the other machines are judged by those. */
const SAMPLED_MACHINES = 64;
const SAMPLES = 10;
const BUILD_SAMPLES = 60;
/**
 * Whether a bundle of the same inputs is stored, which SQL looks up for builds `b`: of the same series and configuration, by
 * the recipe that a connected builder has (any builder while none is). A builder that tells none, as older ones, is taken for unchanged; a build from before
 * recipes were recorded is not, as kernel/ may have changed since.
 */
const IS_STORED = `exists (select 1 from build o join bundle u on u.key = o.bundle_key join artifact a on a.sha256 = u.sha256
  where o.inputs = b.inputs and o.inputs <> '' and o.state = 'ready' and a.removed_at is null
    and exists (select 1 from agent g where 'build' = any(g.capabilities)
      and (agent_online(g) or not exists (select 1 from agent h where 'build' = any(h.capabilities) and agent_online(h)))
      and (g.catalogue ->> 'recipe' is null or g.catalogue ->> 'recipe' = o.recipe)))`;

/** A job in the queue, or planned for it. */
interface LineJob extends QueuedJob {
  kind: 'build' | 'test';
  buildId: string;
  /** All builds that it waits for while it is blocked. */
  buildIds: readonly string[];
  /** Names of the machines that may take it; none for builds, and for tests that no machine may take any more. */
  machines: readonly string[];
  /** Of a test with several roles what each may have; `machines` is all of them. */
  roles?: readonly (readonly string[])[] | undefined;
  suites: string[];
  readyInMs: number;
  /** It waits for its build, which is queued or runs. */
  isBlocked: boolean;
  /** Of its build. */
  size: string;
  isStored: boolean;
}

const LINE_JOB = {
  id: uuid,
  kind: columnsOf(Job).kind,
  buildId: uuid,
  wishes: json<RoleWish[]>(),
  suites: json<string[]>(),
  priority: integer,
  position: integer,
  queuedAtMs: float,
  readyInMs: float,
  isBlocked: bool,
  size: text,
  isStored: bool,
};

/** An attempt that holds a lease. `elapsedMs` is how long it runs, in milliseconds. */
const LEASED_WORK = {
  id: uuid,
  size: text,
  isStored: bool,
  machine: nullable(text),
  buildId: uuid,
  suites: json<string[]>(),
  elapsedMs: float,
  progress: nullable(json<StoredProgress>()),
  /** Time of the query, by the controller's clock. */
  nowMs: float,
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
  built: BuildSample[];
}

const SUITES = `coalesce(to_jsonb(j.suites), r.spec -> 'suites')`;
/** What of a job's build the estimates need. */
const BUILD_COLUMNS = `b.size, ${IS_STORED} as "isStored"`;
const LINE_COLUMNS = `${BUILD_COLUMNS}, j.id, j.kind, j.build_id as "buildId", case when j.kind = 'test' then ${rolesColumn('j')} else '[]' end as wishes, ${SUITES} as suites, r.priority, j.position,
  (extract(epoch from j.queued_at) * 1000)::float8 as "queuedAtMs", j.state = 'blocked' as "isBlocked",
  greatest(0, coalesce(extract(epoch from j.not_before - clock_timestamp()) * 1000, 0))::float8 as "readyInMs"`;

/** When a job is expected to start and to end, milliseconds from now; a build also what that is taken from. */
export interface JobForecast {
  startsInMs: number | null;
  endsInMs: number | null;
  estimate: BuildEstimate | null;
}

/** Which jobs wait, and when they are expected to start. */
@Injectable()
export class QueueView {
  readonly #sql: Sql;
  readonly #storage: StorageMeter;

  constructor(sql: Sql, storage: StorageMeter) {
    this.#sql = sql;
    this.#storage = storage;
  }

  /** When jobs of a run that have not ended are expected to start and to end, by id. */
  async forecastOf(
    runId: string,
    jobs: readonly { machine: string | null }[],
    candidates: Candidates,
  ): Promise<Map<string, JobForecast>> {
    if (jobs.length === 0) return new Map();
    const machines = [...jobs.flatMap(({ machine }) => machine ?? []), ...namesOf(candidates)];
    return forecast(await this.#state([...new Set(machines)], runId));
  }

  /**
   * When planned jobs could start, in their order, if they were submitted now.
   * @param missing builds that have to be made first, by their index
   */
  async startsOfPlan(
    jobs: readonly PlannedJob[],
    missing: ReadonlyMap<number, BuildSpec>,
    { priority, submitter, sameLabels }: { priority: number; submitter: string | null; sameLabels: readonly string[] },
  ): Promise<{ starts: ExpectedStart[]; builds: Map<number, BuildEstimate> }> {
    if (jobs.length === 0) return { starts: [], builds: new Map() };
    const candidates = await readCandidates(
      this.#sql,
      jobs.flatMap(({ roles }) => roles.map(({ wish }) => wish)),
    );
    const namesOfRoles = namesByRoles(candidates);
    const [state, facts, stored] = await Promise.all([
      this.#state([...new Set(namesOf(candidates))], null),
      this.#facts(),
      this.#stored([...missing.values()].map((spec) => inputsOf(spec, submitter))),
    ]);
    const common = { priority, queuedAtMs: facts.nowMs, readyInMs: 0 };
    const kernelOf = (index: number): Pick<LineJob, 'size' | 'isStored'> => {
      const spec = missing.get(index);
      return spec === undefined
        ? { size: '', isStored: true }
        : { size: sizeOf(spec), isStored: stored.has(inputsOf(spec, submitter)) };
    };
    const builds = [...missing.keys()].map((index): LineJob => {
      const id = `build ${index}`;
      return {
        ...common,
        id,
        kind: 'build',
        buildId: id,
        buildIds: [id],
        machines: [],
        suites: [],
        position: index,
        isBlocked: false,
        ...kernelOf(index),
      };
    });
    const planned = jobs.map(
      ({ roles, suites, buildIndex }, index): LineJob => ({
        ...common,
        id: `test ${index}`,
        kind: 'test',
        buildId: `build ${buildIndex}`,
        buildIds: roles.flatMap((role) => (missing.has(role.buildIndex) ? [`build ${role.buildIndex}`] : [])),
        ...namesOfRoles(roles.map(({ wish }) => wish)),
        suites,
        position: missing.size + index,
        isBlocked: roles.some((role) => missing.has(role.buildIndex)),
        ...kernelOf(buildIndex),
      }),
    );
    const all = { ...state, line: [...state.line, ...builds, ...planned] };
    const forecasts = forecast(all);
    const ahead = placesOf(all.line);
    const estimates = new Map(
      [...missing.keys()].map((index) => [index, estimateBuild(kernelOf(index), state.built)] as const),
    );
    const starts = planned.map((job, index): ExpectedStart => {
      const { roles = [], combination } = jobs[index] ?? {};
      const placed = roles.map(({ role, combination: own, wish }) => ({
        role,
        combination: own.label,
        machines: candidates.get(wishKey(wish)) ?? [],
      }));
      return expectedStart({
        kind: 'test',
        state: job.isBlocked ? 'blocked' : 'queued',
        build: job.buildId,
        combination: combination?.label ?? null,
        ahead: ahead.get(job.id) ?? 0,
        startsInMs: forecasts.get(job.id)?.startsInMs ?? null,
        pausedUntil: null,
        machines: placed.length === 1 ? (placed[0]?.machines ?? []) : [],
        roles: placed.length === 1 ? [] : placed,
        sameLabels,
        storageFull: facts.storageFull,
        builders: facts.builders,
        note: null,
        attempts: 0,
      });
    });
    return { starts, builds: estimates };
  }

  /** Which of these inputs a stored bundle was made of. */
  async #stored(inputs: readonly string[]): Promise<Set<string>> {
    const rows = await this.#sql.rows(
      { inputs: text },
      `select b.inputs from unnest($1::text[]) as b(inputs) where ${IS_STORED}`,
      [[...new Set(inputs)]],
    );
    return new Set(rows.map((row) => row.inputs));
  }

  async #facts(): Promise<{ builders: number; storageFull: boolean; nowMs: number }> {
    const row = await this.#sql.one(
      { now: float, builders: integer },
      `select (extract(epoch from clock_timestamp()) * 1000)::float8 as now, ${BUILDERS} as builders`,
    );
    if (row === null) throw new Error('a select without from has one row');
    return { builders: row.builders, storageFull: !(await this.#storage.hasRoom()), nowMs: row.now };
  }

  /** All that decides when jobs on these machines start. `runId`: also its jobs that wait for a build. */
  async #state(named: readonly string[], runId: string | null): Promise<QueueState> {
    // Where an agent limits how much it runs at once, its other machines matter too.
    const near = await this.#machines(named);
    const line = await this.#sql.rows(
      LINE_JOB,
      `select * from (
         select ${LINE_COLUMNS} from job j join run r on r.id = j.run_id join build b on b.id = j.build_id
         where j.state = 'queued' and j.kind = 'test' and not r.cancel_requested and (exists (
           select 1 from machine_path p join machine m on m.name = p.machine where m.name = any($1) and ${fitsWish('j')})
           or j.roles > 1 and exists (
             select 1 from job_role o join machine_path p on p.combination = o.combination join machine m on m.name = p.machine
             where o.job_id = j.id and m.name = any($1) and ${fitsWish('o')}))
         union all select ${LINE_COLUMNS} from job j join run r on r.id = j.run_id join build b on b.id = j.build_id
         where j.state = 'queued' and j.kind = 'build' and not r.cancel_requested
         union all select ${LINE_COLUMNS} from job j join run r on r.id = j.run_id join build b on b.id = j.build_id
         where j.state = 'blocked' and j.run_id = $2) line limit $3`,
      [near.map(({ name }) => name), runId, LINE_MAX + 1],
    );
    const candidates = await readCandidates(
      this.#sql,
      line.flatMap(({ wishes }) => wishes.map(({ wish }) => wish)),
    );
    const namesOfRoles = namesByRoles(candidates);
    const machines = await this.#machines([...new Set([...near.map(({ name }) => name), ...namesOf(candidates)])]);
    const names = machines.map(({ name }) => name);
    const [slots, leased, samples, built] = await Promise.all([
      this.#sql.one(
        { n: integer },
        `select coalesce(sum(build_slots), 0)::int as n from agent a where 'build' = any(a.capabilities) and agent_online(a)`,
      ),
      this.#sql.rows(
        LEASED_WORK,
        `select j.id, ${BUILD_COLUMNS}, l.machine, j.build_id as "buildId", ${SUITES} as suites, t.progress, (extract(epoch from clock_timestamp()) * 1000)::float8 as "nowMs",
           (extract(epoch from clock_timestamp() - t.started_at) * 1000)::float8 as "elapsedMs"
         from lease l join participant p on p.id = l.participant_id join attempt t on t.id = p.attempt_id
           join job j on j.id = t.job_id join run r on r.id = j.run_id
           join build b on b.id = j.build_id
         where l.released_at is null and (l.machine is null or l.machine = any($1))`,
        [names],
      ),
      this.#sql.rows(
        DURATION_SAMPLE,
        `select s.* from unnest($1::text[]) as m(name) cross join lateral (
           select p.machine, ${SUITES} as suites, (extract(epoch from p.ended_at - p.started_at) * 1000)::float8 as ms
           from participant p join attempt t on t.id = p.attempt_id join job j on j.id = t.job_id join run r on r.id = j.run_id
           where p.machine = m.name and p.state = 'ended' and p.failure is null
           order by p.started_at desc limit $2) s`,
        [[...new Set([...named, ...names])].slice(0, SAMPLED_MACHINES), SAMPLES],
      ),
      this.#sql.rows(
        { size: text, cached: bool, ms: float },
        `select b.size, ${IS_CACHED} as cached, (extract(epoch from t.ended_at - t.started_at) * 1000)::float8 as ms
         from (select id, size from build order by created_at desc, id desc limit $1) b
           join job j on j.build_id = b.id and j.kind = 'build' join attempt t on t.job_id = j.id
         where t.state = 'ended' and t.failure is null`,
        [BUILD_SAMPLES],
      ),
    ]);
    return {
      machines,
      buildSlots: slots?.n ?? 0,
      line: line.map(({ wishes, ...job }) => ({
        ...job,
        buildIds:
          job.kind === 'build' ? [job.buildId] : wishes.flatMap(({ buildId, isBuilt }) => (isBuilt ? [] : [buildId])),
        ...namesOfRoles(wishes.map(({ wish }) => wish)),
      })),
      leased,
      samples,
      built,
    };
  }

  /** These machines, and those that share slots with one of them. */
  #machines(named: readonly string[]): Promise<QueueState['machines']> {
    return this.#sql.rows(
      QUEUE_MACHINE,
      `select m.name, m.agent, a.test_slots as "testSlots" from machine m join agent a on a.name = m.agent
       where m.name = any($1) or (a.test_slots is not null and m.agent in (select agent from machine where name = any($1)))
       order by m.name`,
      [named],
    );
  }
}

type Candidates = Awaited<ReturnType<typeof readCandidates>>;

const namesOf = (candidates: Candidates): string[] => [...candidates.values()].flat().map(({ name }) => name);

/**
 * The names for the roles of a job, and of one with several all of them together; of equal wishes one and the same array.
 */
function namesByRoles(candidates: Candidates): (wishes: readonly MachineWish[]) => Pick<LineJob, 'machines' | 'roles'> {
  const names = new Map([...candidates].map(([key, machines]) => [key, machines.map(({ name }) => name)]));
  return (wishes) => {
    const roles = wishes.map((wish) => names.get(wishKey(wish)) ?? []);
    return roles.length < 2 ? { machines: roles[0] ?? [] } : { machines: [...new Set(roles.flat())], roles };
  };
}

/** When everything in the line is expected to start and all that is open to end, by id, as far as it is known. Pure. */
function forecast({ machines, buildSlots, line, leased, samples, built }: QueueState): Map<string, JobForecast> {
  const found = new Map<string, JobForecast>();
  if (line.length > LINE_MAX) return found;
  const known = (ms: number | undefined): number | null => (ms === undefined || ms === Infinity ? null : ms);
  const estimateOf = (of: { size: string; isStored: boolean }): BuildEstimate => estimateBuild(of, built);
  const buildMs = (of: { size: string; isStored: boolean }): number => estimateOf(of).ms ?? Infinity;
  const ordered = line.toSorted(compareQueued);
  const builds = ordered.filter(({ kind }) => kind === 'build');
  const building = leased
    .filter(({ machine }) => machine === null)
    .map((each) => ({ ...each, leftMs: leftOfBuildMs(each.progress, { ...each, buildMs: buildMs(each) }) }));
  const ofBuilds = forecastStarts(
    builds.map((each) => ({ id: each.id, machines: [], durationMs: buildMs(each), readyInMs: each.readyInMs })),
    building.map(({ leftMs: ms }) => ({ machine: null, leftMs: ms })),
    sharedSlots(buildSlots),
  );
  const builtInMs = new Map<string, number>();
  for (const each of building) {
    builtInMs.set(each.buildId, each.leftMs);
    found.set(each.id, { startsInMs: null, endsInMs: known(each.leftMs), estimate: estimateOf(each) });
  }
  for (const each of builds) {
    const startsInMs = ofBuilds.get(each.id) ?? Infinity;
    const endsInMs = startsInMs + buildMs(each);
    builtInMs.set(each.buildId, endsInMs);
    found.set(each.id, { startsInMs: known(startsInMs), endsInMs: known(endsInMs), estimate: estimateOf(each) });
  }
  const durationOf = durationsBySuites(samples);
  const tests = ordered.filter(({ kind, machines: able }) => kind === 'test' && able.length > 0);
  const durations = new Map(tests.map(({ id, machines: able, suites }) => [id, durationOf(able[0] ?? '', suites)]));
  const running = leased
    .filter(({ machine }) => machine !== null)
    .map(({ id, machine, suites, elapsedMs }) => ({
      id,
      machine,
      leftMs: leftMs(durationOf(machine ?? '', suites), elapsedMs),
    }));
  const starts = forecastStarts(
    tests.map(({ id, machines: able, roles, readyInMs, isBlocked, buildIds }) => ({
      id,
      machines: able,
      roles,
      durationMs: durations.get(id) ?? Infinity,
      readyInMs: isBlocked ? Math.max(...buildIds.map((each) => builtInMs.get(each) ?? Infinity)) : readyInMs,
    })),
    running,
    slotsOf(machines),
  );
  for (const [id, ms] of starts) {
    const endsInMs = known(ms + (durations.get(id) ?? Infinity));
    found.set(id, { startsInMs: known(ms), endsInMs, estimate: null });
  }
  for (const { id, leftMs: ms } of running) found.set(id, { startsInMs: null, endsInMs: known(ms), estimate: null });
  return found;
}

/** Machines of an agent with a limit share its slots; any other one has its own. */
function slotsOf(machines: QueueState['machines']): Slots {
  const groups = new Map(
    machines.map(({ name, agent, testSlots }) => [name, testSlots === null ? `machine ${name}` : `agent ${agent}`]),
  );
  const limits = new Map<string, number>(
    machines.flatMap(({ agent, testSlots }) => (testSlots === null ? [] : [[`agent ${agent}`, testSlots] as const])),
  );
  return {
    groupOf: (machine) => groups.get(machine ?? '') ?? `machine ${machine ?? ''}`,
    of: (group) => limits.get(group) ?? Infinity,
  };
}

/** How many jobs go before each one that may take one of the same machines, by id. */
function placesOf(line: readonly LineJob[]): Map<string, number> {
  const places = new Map<string, number>();
  const counted = new Map<readonly string[], { machines: ReadonlySet<string>; jobs: number }>();
  for (const { id, kind, machines } of line.toSorted(compareQueued)) {
    if (kind === 'build') continue;
    const before = [...counted.values()].filter((each) => machines.some((name) => each.machines.has(name)));
    places.set(
      id,
      before.reduce((sum, { jobs }) => sum + jobs, 0),
    );
    const own = counted.get(machines) ?? { machines: new Set(machines), jobs: 0 };
    counted.set(machines, { ...own, jobs: own.jobs + 1 });
  }
  return places;
}
