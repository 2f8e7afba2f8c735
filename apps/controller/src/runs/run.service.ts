import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import {
  pairOf,
  type RunPurpose,
  PLAN_MACHINES_MAX,
  type ProblemItem,
  type RunSpec,
  type RunSummary,
  type SubmissionReport,
} from '@peerlab/contracts';
import { BuildService } from '../builds/build.service.js';
import { recordRoleCombinations } from '../fleet/combination-register.js';
import { FleetView } from '../fleet/fleet.view.js';
import type { Identity } from '../platform/auth/token.service.js';
import { announce } from '../platform/database/bus.js';
import { isPgError } from '../platform/database/pg-error.js';
import { columnsOf, nullable, pick, text, uuid } from '../platform/database/row-shape.js';
import { jsonb } from '../platform/database/storable.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { notFound, ProblemError } from '../platform/http/problem.js';
import { Run } from '../schema/runs.js';
import { requireRoom } from '../storage/storage.js';
import { checkSeries } from './checked-series.js';
import { JobService } from './job.service.js';
import { jobsOfBuilds, jobsOfPlan } from './new-jobs.js';
import { namedArtifacts } from './named-artifacts.js';
import { planRun, type Plan, type PlannedRole } from './planning.js';
import { QueueView } from './queue.view.js';
import { narrowed, RETRIED_JOB, testedPlace } from './repeated-job.js';
import { rollUpRun } from './rollup.js';
import { RunView } from './run.view.js';
import { readSubmission } from './submission.js';

export interface Trigger {
  kind: 'user' | 'webhook' | 'farm';
  detail: string;
  /** Name of the user or of the webhook, to find its runs by. */
  by: string;
  /** Id of the user's token on whose behalf compiler output may be kept and used again; null = nobody's. */
  submitter: string | null;
  /** Default: `test`. */
  purpose?: RunPurpose;
  /** Of the run, where who submits it chose one. */
  id?: string | undefined;
}

/** What tells the run that is sent again from another one. */
interface SameRun {
  yaml?: string;
  submitter?: string | null;
  by: string;
  detail: string;
}

/** A request that was checked against the fleet and may be stored. */
export interface FeasibleRun {
  spec: RunSpec;
  yaml: string | null;
  plan: Plan;
}

/** Requests: checked, planned, stored, canceled, repeated. */
@Injectable()
export class RunService {
  readonly #sql: Sql;
  readonly #builds: BuildService;
  readonly #jobs: JobService;
  readonly #fleet: FleetView;
  readonly #view: RunView;
  readonly #queue: QueueView;

  constructor(sql: Sql, builds: BuildService, jobs: JobService, fleet: FleetView, view: RunView, queue: QueueView) {
    this.#sql = sql;
    this.#builds = builds;
    this.#jobs = jobs;
    this.#fleet = fleet;
    this.#view = view;
    this.#queue = queue;
  }

  /** A dry run: what would run, or what is wrong and where. */
  async check(yaml: string, caller: Pick<Identity, 'id'> | null): Promise<SubmissionReport> {
    const submitted = readSubmission(yaml);
    if (!submitted.ok)
      return { ok: false, problems: submitted.problems, plan: [], builds: [], series: [], unmatched: [] };
    const { spec, kernels, jobs, unmatched, problems } = await this.#plan(submitted.spec);
    const missing = new Map(
      kernels.flatMap(({ spec: kernel }, index) => (kernel.bundle === undefined ? [[index, kernel] as const] : [])),
    );
    const { starts, builds } = await this.#queue.startsOfPlan(jobs, missing, {
      priority: spec.priority,
      submitter: caller?.id ?? null,
      sameLabels: spec.relation?.sameLabels ?? [],
    });
    return {
      ok: problems.length === 0,
      problems: problems.map(submitted.locate),
      // The first boots come first; the others follow them in turns.
      plan: jobs
        .filter(({ boot }) => boot === 1)
        .map(({ roles, combination, ...first }, index) => ({
          ...reportedRole(first),
          combination: combination.label,
          roles:
            roles.length === 1
              ? []
              : roles.map((role) => ({ ...reportedRole(role), role: role.role, combination: role.combination.label })),
          boots: spec.repeat ?? 1,
          start: starts[index] ?? { when: 'blocked', inMs: null, text: 'unknown', lastSeenAt: null },
        })),
      builds: [...builds].flatMap(([index, estimate]) => {
        const kernel = missing.get(index);
        if (kernel === undefined) return [];
        const isOneOfSeveral = [...missing].some(([other, { name }]) => other !== index && name === kernel.name);
        const { name: build, config } = kernel;
        return [{ build, ...(isOneOfSeveral && config !== undefined ? { config } : {}), ...estimate }];
      }),
      series: problems.length === 0 ? checkSeries(spec).series : [],
      unmatched,
    };
  }

  /** Stores a run typed by a person. */
  async submit(yaml: string, trigger: Trigger, id?: string): Promise<RunSummary> {
    return this.#once(id, { yaml, submitter: trigger.submitter, by: trigger.by, detail: trigger.detail }, async () => {
      const feasible = await this.examine(yaml);
      return this.#sql.transaction((tx) => this.store(tx, feasible, { ...trigger, id }));
    });
  }

  /**
   * The run that is there under `id` already, or the one that `make` stores under it.
   *
   * @param id that of the one who submits; undefined = one is made up, and sending twice makes two
   * @param same what a run has to be to count as this one; 409 when the id is that of another one
   */
  async #once(id: string | undefined, same: SameRun, make: () => Promise<string>): Promise<RunSummary> {
    if (id === undefined) return this.#view.summary(await make());
    if (await this.#isThere(id, same)) return this.#view.summary(id);
    try {
      return await this.#view.summary(await make());
    } catch (error) {
      // Sent twice at once, and the other one was first.
      if (!isPgError(error, '23505') || !(await this.#isThere(id, same))) throw error;
      return this.#view.summary(id);
    }
  }

  async #isThere(id: string, same: SameRun): Promise<boolean> {
    const known = await this.#sql.one(
      { yaml: nullable(text), submitter: nullable(uuid), by: nullable(text), detail: text },
      'select yaml, submitter, submitted_by as by, trigger_detail as detail from run where id = $1',
      [id],
    );
    if (known === null) return false;
    if (Object.entries(same).every(([name, value]) => known[name as keyof SameRun] === value)) return true;
    throw new ProblemError(409, 'run-exists', `run ${id} is another one`, {
      detail: 'send an id that is not in use, or none',
    });
  }

  /** Checks YAML against the fleet; throws a 422 problem with line and column otherwise. */
  async examine(yaml: string): Promise<FeasibleRun> {
    const submitted = readSubmission(yaml);
    if (!submitted.ok) throw refusal('the run is not valid', submitted.problems);
    const plan = await this.#plan(submitted.spec);
    if (plan.problems.length > 0) throw refusal('the run cannot be done', plan.problems.map(submitted.locate));
    return { spec: plan.spec, yaml, plan };
  }

  /** As `examine`, for a run that is not text, such as a template with a series put in. */
  async examineSpec(spec: RunSpec): Promise<FeasibleRun> {
    const plan = await this.#plan(spec);
    if (plan.problems.length > 0) throw refusal('the run cannot be done', plan.problems);
    return { spec: plan.spec, yaml: null, plan };
  }

  /** Writes run, builds and jobs; returns the run's id. @param retryOf the job that it repeats */
  async store(
    tx: Queries,
    { spec, yaml, plan }: FeasibleRun,
    trigger: Trigger,
    retryOf: string | null = null,
  ): Promise<string> {
    await requireRoom(tx);
    const runId = trigger.id ?? randomUUID();
    const missing = plan.kernels.filter(({ spec: { bundle } }) => bundle === undefined).length;
    await tx.run(
      `insert into run (id, name, spec, yaml, state, priority, trigger_kind, trigger_detail, jobs_total, submitter,
         submitted_by, retry_of, purpose)
       values ($1, $2, $3, $4, 'queued', $5, $6, $7, $8, $9, $10, $11, $12)`,
      [
        runId,
        spec.name,
        jsonb(spec),
        yaml,
        spec.priority,
        trigger.kind,
        trigger.detail,
        plan.jobs.length + missing,
        trigger.submitter,
        trigger.by,
        retryOf,
        trigger.purpose ?? 'test',
      ],
    );
    await recordRoleCombinations(
      tx,
      plan.jobs.flatMap(({ roles, combination }) => (roles.length > 1 ? [combination] : [])),
    );
    const builds = plan.kernels.map((kernel, position) => ({ id: randomUUID(), position, spec: kernel.spec }));
    await this.#builds.addBuilds(tx, runId, builds, trigger.submitter, namedArtifacts(spec));
    await this.#jobs.add(tx, runId, [...jobsOfBuilds(builds), ...jobsOfPlan(plan, builds)]);
    await announce(tx, { type: 'dispatch' }, { type: 'changed', topics: ['runs', 'builds', 'machines'] });
    return runId;
  }

  /** Ends what has not started and asks the agents to stop the rest. Repeating it does no harm. */
  async cancel(runId: string): Promise<RunSummary> {
    await this.#sql.transaction(async (tx) => {
      // Jobs before the run: the order in which everything else locks them.
      await tx.run('select id from job where run_id = $1 order by id for update', [runId]);
      const ended = await tx.run(
        `update job set state = 'ended', verdict = 'canceled', note = 'canceled before it started',
           ended_at = clock_timestamp() where run_id = $1 and state in ('blocked', 'queued')`,
        [runId],
      );
      const touched = await tx.run(`update run set cancel_requested = true where id = $1 and state <> 'ended'`, [
        runId,
      ]);
      if (touched === 0 && !(await tx.exists('select 1 from run where id = $1', [runId]))) {
        throw notFound('run', runId);
      }
      const agents = await tx.rows(
        { agent: text },
        `select distinct p.agent from participant p join attempt t on t.id = p.attempt_id join job j on j.id = t.job_id
         where j.run_id = $1 and p.state <> 'ended'`,
        [runId],
      );
      if (agents.length > 0) {
        await announce(tx, ...agents.map(({ agent }) => ({ type: 'agent-work', agent }) as const));
      }
      if (ended + touched > 0) await rollUpRun(tx, runId);
    });
    return this.#view.summary(runId);
  }

  /**
   * A new run of the same spec: an ended run never starts again, so that its links stay true. What a webhook
   * or another user submitted gets no compiler cache, or its patches would get at that of the user who repeats them.
   */
  async retry(runId: string, user: Pick<Identity, 'id' | 'name'>, id?: string): Promise<RunSummary> {
    const detail = `${user.name}, again after ${runId}`;
    return this.#once(id, { by: user.name, detail }, () => this.#again(runId, user, detail, id));
  }

  async #again(
    runId: string,
    user: Pick<Identity, 'id' | 'name'>,
    detail: string,
    id: string | undefined,
  ): Promise<string> {
    const old = await this.#sql.one(
      pick(columnsOf(Run), 'spec', 'yaml', 'submitter', 'purpose'),
      'select spec, yaml, submitter, purpose from run where id = $1',
      [runId],
    );
    if (old === null) throw notFound('run', runId);
    refuseHealthRun(old.purpose);
    const spec = await this.#atCommits(runId, old.spec);
    const feasible = await this.examineSpec(spec);
    const submitter = old.submitter === user.id ? user.id : null;
    const trigger: Trigger = { kind: 'user', detail, by: user.name, submitter, id };
    return this.#sql.transaction((tx) =>
      this.store(tx, { ...feasible, yaml: spec === old.spec ? old.yaml : null }, trigger),
    );
  }

  /**
   * A new run of one job: an ended job never runs again, for the reason that an ended run does not. While a run of
   * the same user for that job has not ended, that one is the answer, so that asking twice starts one.
   */
  async retryJob(
    jobId: string,
    user: Pick<Identity, 'name'> & { id: string | null },
    kind: 'user' | 'farm' = 'user',
  ): Promise<RunSummary> {
    const job = await this.#sql.one(
      RETRIED_JOB,
      `select j.run_id, j.kind, j.build_name, j.machine, j.only_machine, j.combination, j.labels, j.pair, j.suites, r.spec,
         r.submitter, r.purpose, coalesce((select jsonb_agg(jsonb_build_object('role', o.role, 'build', o.build_name,
             'machine', o.machine, 'onlyMachine', o.only_machine, 'combination', o.combination, 'labels', o.labels, 'pair', o.pair, 'suites', o.suites)
             order by o.position) from job_role o where o.job_id = j.id), '[]') as roles,
         case when j.kind = 'build' then (
           select jsonb_agg(distinct place.only_machine)
           from job t join job_part own on own.job_id = t.id and own.build_id = j.build_id join job_part place on place.job_id = t.id
           where t.run_id = j.run_id and t.kind = 'test' and place.only_machine is not null) end as tested_on
       from job j join run r on r.id = j.run_id
       where j.id = $1`,
      [jobId],
    );
    if (job === null) throw notFound('job', jobId);
    refuseHealthRun(job.purpose);
    const feasible = await this.examineSpec(narrowed({ ...job, spec: await this.#atCommits(job.run_id, job.spec) }));
    // Of several pairs of the combination it tested one.
    if (job.kind === 'test') {
      const pairs = job.roles.length === 0 ? [job.pair] : job.roles.map(({ pair }) => pair);
      feasible.plan.jobs = feasible.plan.jobs.filter(({ roles }) =>
        roles.every(({ wish }, index) => wish.pair === pairs[index]),
      );
    }
    const what = job.kind === 'build' ? `the build ${job.build_name}` : testedPlace(job);
    const trigger: Trigger = {
      kind,
      detail: `${user.name}, ${what} again after ${job.run_id}`,
      by: user.name,
      submitter: job.submitter === user.id ? user.id : null,
    };
    const id = await this.#sql.transaction(async (tx) => {
      // Two requests at once: the second one waits here and finds the run of the first.
      const locked = await this.#jobs.lock(tx, jobId);
      if (locked === null) throw notFound('job', jobId);
      if (locked.state !== 'ended') {
        throw new ProblemError(409, 'job-open', 'the job has not ended', {
          detail: 'cancel its run first, or wait for its end',
        });
      }
      const open = await tx.one(
        pick(columnsOf(Run), 'id'),
        `select id from run where retry_of = $1 and submitted_by = $2 and state <> 'ended' order by created_at limit 1`,
        [jobId, user.name],
      );
      return open?.id ?? (await this.store(tx, feasible, trigger, jobId));
    });
    return this.#view.summary(id);
  }

  /** Removes a run whose jobs, builds and deliveries are gone or forget it already. */
  async remove(tx: Queries, runId: string): Promise<void> {
    await tx.run('delete from run where id = $1', [runId]);
  }

  /** The commits that the git sources of a run were found to be, each once. */
  async commits(runId: string): Promise<string[]> {
    return [...new Set((await this.#builds.commitsOf(runId)).values())].toSorted();
  }

  /** A spec that names the commits that a run of it built, where it named branches; the spec itself where it did not. */
  async #atCommits(runId: string, spec: RunSpec): Promise<RunSpec> {
    const commits = await this.#builds.commitsOf(runId);
    if (!spec.builds.some(({ name, git }) => git !== undefined && (commits.get(name) ?? git.ref) !== git.ref))
      return spec;
    const builds = spec.builds.map((build) =>
      build.git === undefined
        ? build
        : { ...build, git: { url: build.git.url, ref: commits.get(build.name) ?? build.git.ref } },
    );
    return { ...spec, builds };
  }

  async #plan(spec: RunSpec): Promise<Plan> {
    const bundles = new Map<string, string[]>();
    const anyPair = new Set<string>();
    const artifacts = new Set<string>();
    for (const sha256 of namedArtifacts(spec)) if (await this.#builds.hasArtifact(sha256)) artifacts.add(sha256);
    for (const { bundle: key } of spec.builds) {
      const bundle = key === undefined ? null : await this.#builds.findBundle(key);
      if (key === undefined || bundle === null) continue;
      const { suites, binds } = bundle.manifest;
      bundles.set(
        key,
        suites.map(({ name }) => name),
      );
      if (binds !== undefined) anyPair.add(key);
    }
    const [fleet, catalogue, ports] = await Promise.all([
      this.#fleet.machines(),
      this.#fleet.catalogue(),
      spec.roles?.some(({ rdmaDevice }) => rdmaDevice !== undefined) === true ? this.#fleet.rdmaDevices() : null,
    ]);
    const machines = ports === null ? fleet : fleet.map((each) => ({ ...each, rdmaDevices: ports.get(each.name) }));
    return planRun(spec, machines, { bundles, anyPair, artifacts, catalogue });
  }
}

function reportedRole({
  build,
  machines,
  path,
  suites,
}: Pick<PlannedRole, 'build' | 'machines' | 'path' | 'suites'>): Omit<
  SubmissionReport['plan'][number],
  'combination' | 'roles' | 'boots' | 'start'
> {
  return {
    build,
    machines: machines.slice(0, PLAN_MACHINES_MAX),
    machinesTotal: machines.length,
    pathKind: path.kind,
    pair: pairOf(path),
    suites,
  };
}

/** A health check that is repeated as a run would count as a test of its kernel. */
function refuseHealthRun(purpose: RunPurpose): void {
  if (purpose !== 'health') return;
  throw new ProblemError(409, 'health-run', 'a health check is not submitted again', {
    detail: 'ask for a new check of the machine: peerlab health check MACHINE --reason TEXT',
  });
}

function refusal(title: string, errors: ProblemItem[]): ProblemError {
  const first = errors[0];
  const place = first?.line === undefined ? '' : `line ${first.line}: `;
  const detail = first === undefined ? {} : { detail: `${place}${first.message}` };
  return new ProblemError(422, 'invalid-run', title, { ...detail, errors });
}
