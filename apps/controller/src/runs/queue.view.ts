import { Injectable } from '@nestjs/common';
import type { BuildEstimate, BuildSpec, ExpectedStart } from '@peerlab/contracts';
import { inputsOf, sizeOf } from '../builds/build-inputs.js';
import { float, integer, text } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { StorageMeter } from '../storage/storage.js';
import { estimateBuild } from './build-durations.js';
import { readCandidates, wishKey } from './candidates.js';
import { forecastLine, placesOf, type JobForecast } from './line-forecast.js';
import type { PlannedJob } from './planning.js';
import { IS_STORED, namesByRoles, namesOf, readQueue, type Candidates, type LineJob } from './queue-state.js';
import { BUILDERS } from './waiting-facts.js';
import { expectedStart } from './waiting.js';

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
    return forecastLine(await readQueue(this.#sql, [...new Set(machines)], runId));
  }

  /**
   * When planned jobs could start, in their order, if they were submitted now.
   * @param missing kernels that have to be built first, by their index in the plan
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
      readQueue(this.#sql, [...new Set(namesOf(candidates))], null),
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
      ({ roles, suites, kernel }, index): LineJob => ({
        ...common,
        id: `test ${index}`,
        kind: 'test',
        buildId: `build ${kernel}`,
        buildIds: roles.flatMap((role) => (missing.has(role.kernel) ? [`build ${role.kernel}`] : [])),
        ...namesOfRoles(roles.map(({ wish }) => wish)),
        suites,
        position: missing.size + index,
        isBlocked: roles.some((role) => missing.has(role.kernel)),
        ...kernelOf(kernel),
      }),
    );
    const all = { ...state, line: [...state.line, ...builds, ...planned] };
    const forecasts = forecastLine(all);
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
}
