import { Injectable } from '@nestjs/common';
import {
  chooseBuilds,
  COMPARED_ROWS_MAX,
  type Combination,
  type ComparedSide,
  type Comparison,
  type RunState,
  type TestedKernel,
} from '@peerlab/contracts';
import type { InputOf } from '../platform/http/serve.js';
import { notFound, ProblemError } from '../platform/http/problem.js';
import { Sql } from '../platform/database/sql.js';
import { compareMetrics, compareResults, type SideMetric, type SideResult } from './compare-rows.js';
import { KERNEL_SQL, readCombinations } from './history.js';

interface Run {
  id: string;
  name: string;
  state: RunState;
  created_at: Date;
  kernels: TestedKernel[];
}

interface Side {
  view: ComparedSide;
  results: SideResult[];
  metrics: SideMetric[];
}

/** The newest attempt of every test job of build `$2` of run `$1`, as in the grid. */
const ATTEMPTS = `
  job j join build b on b.id = j.build_id join lateral (
    select id from attempt where job_id = j.id order by number desc limit 1) t on true`;
const OF_SIDE = `j.run_id = $1 and b.name = $2 and j.kind = 'test' and j.combination is not null`;

/** Two builds side by side. */
@Injectable()
export class CompareView {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Problems: 404 for a run that is not there, and for a build that its run has not got. */
  async read({ a, b: given, rows: wanted }: InputOf<'getCompare'>['query']): Promise<Comparison> {
    const b = given ?? { run: a.run, build: null };
    const isSameRun = a.run === b.run;
    const runA = await this.#run(a.run);
    const runB = isSameRun ? runA : await this.#run(b.run);
    const builds = chooseBuilds(
      { build: a.build, builds: namesOf(runA) },
      { build: b.build, builds: namesOf(runB) },
      isSameRun,
    );
    const [sideA, sideB] = await Promise.all([this.#side(runA, builds.a), this.#side(runB, builds.b)]);
    const hashes = new Set([sideA, sideB].flatMap(({ results, metrics }) => [...results, ...metrics].map(hashOf)));
    const combinations = (await readCombinations(this.#sql, hashes)).toSorted(byLabel);
    const { rows, counts } = compareResults(sideA.results, sideB.results, combinations.map(hashIs));
    const listed = wanted === 'all' ? rows : rows.filter((row) => row.class !== 'same');
    return {
      a: sideA.view,
      b: sideB.view,
      combinations: combinations.map((combination, index) => ({
        combination,
        counts: counts[index] ?? { regressed: 0, fixed: 0, new: 0, gone: 0, changed: 0, same: 0 },
      })),
      rows: listed.slice(0, COMPARED_ROWS_MAX),
      rowsTotal: listed.length,
      metrics: compareMetrics(sideA.metrics, sideB.metrics, combinations.map(hashIs)),
    };
  }

  async #run(id: string): Promise<Run> {
    const [run, kernels] = await Promise.all([
      this.#sql.one<Omit<Run, 'kernels'>>('select id, name, state, created_at from run where id = $1', [id]),
      this.#sql.rows<{ kernel: TestedKernel }>(
        `select ${KERNEL_SQL} as kernel from build b left join bundle u on u.key = b.bundle_key
         where b.run_id = $1 order by b.position`,
        [id],
      ),
    ]);
    if (run === null) throw notFound('run', id);
    return { ...run, kernels: kernels.map(({ kernel }) => kernel) };
  }

  async #side(run: Run, build: string | null): Promise<Side> {
    const kernel = run.kernels.find(({ name }) => name === build);
    if (kernel === undefined) {
      throw new ProblemError(404, 'not-found', `run ${run.id} has no build ${build ?? 'at all'}`, {
        detail: `it has ${namesOf(run).join(', ') || 'none'}`,
      });
    }
    const [results, metrics] = await Promise.all([
      this.#sql.rows<SideResult>(
        `select x.suite, x.test, x.position, x.verdict, x.reason, x.log, x.attempt_id, j.combination
         from ${ATTEMPTS} join result x on x.attempt_id = t.id where ${OF_SIDE}`,
        [run.id, kernel.name],
      ),
      this.#sql.rows<SideMetric>(
        `select m.suite, m.name, m.unit, m.better, m.samples, m.attempt_id, j.combination
         from ${ATTEMPTS} join measurement m on m.attempt_id = t.id where ${OF_SIDE} order by m.stored_at, m.seq`,
        [run.id, kernel.name],
      ),
    ]);
    const { id, name, state, created_at: createdAt } = run;
    return {
      view: { run: { id, name, state, createdAt: createdAt.toISOString() }, kernel, builds: namesOf(run) },
      results,
      metrics,
    };
  }
}

const namesOf = ({ kernels }: Run): string[] => kernels.map(({ name }) => name);
const hashOf = ({ combination }: { combination: string }): string => combination;
const hashIs = ({ hash }: Combination): string => hash;
const byLabel = (a: Combination, b: Combination): number =>
  a.label < b.label ? -1 : a.label > b.label ? 1 : a.hash < b.hash ? -1 : 1;
