import { Injectable } from '@nestjs/common';
import {
  chooseBuilds,
  COMPARED_METRICS_MAX,
  COMPARED_ROWS_MAX,
  repeatsText,
  type Combination,
  type ComparedMetric,
  type ComparedRow,
  type ComparedSide,
  type Comparison,
  type Outcome,
  type RunState,
  type TestedKernel,
} from '@peerlab/contracts';
import type { InputOf } from '../platform/http/serve.js';
import { notFound, ProblemError } from '../platform/http/problem.js';
import { columnsOf, floats, nullable, pick, text } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { Attempt } from '../schema/attempts.js';
import { Build } from '../schema/builds.js';
import { Measurement, Result } from '../schema/results.js';
import { Run } from '../schema/runs.js';
import { compareMetrics, type SideMetric } from './compare-metrics.js';
import {
  compareVerdicts,
  noChanges,
  type ComparedCell,
  type FoundVerdict,
  type SideVerdicts,
} from './compare-verdicts.js';
import { readCombinations } from '../grid/combinations.js';
import { VerdictRows } from '../verdicts/verdict-rows.js';

interface ComparedRun {
  id: string;
  name: string;
  state: RunState;
  created_at: Date;
  kernels: TestedKernel[];
}

interface Side {
  view: ComparedSide;
  verdicts: SideVerdicts[];
  metrics: SideMetric[];
}

const RUN = pick(columnsOf(Run), 'id', 'name', 'state', 'created_at');
const KERNEL = { ...pick(columnsOf(Build), 'id', 'name'), release: nullable(text), buildId: nullable(text) };
const ATTEMPT = { ...pick(columnsOf(Attempt), 'id'), combination: text };
const EVIDENCE = pick(columnsOf(Result), 'attempt_id', 'suite', 'test', 'reason', 'log');
const METRIC = {
  ...pick(columnsOf(Measurement), 'suite', 'name', 'unit', 'better', 'attempt_id'),
  samples: floats,
  combination: text,
};

/** What a result is found by. */
interface EvidenceKey {
  attempt_id: string;
  suite: string;
  test: string;
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
  readonly #verdicts: VerdictRows;

  constructor(sql: Sql, verdicts: VerdictRows) {
    this.#sql = sql;
    this.#verdicts = verdicts;
  }

  /** Problems: 404 for a run that does not exist, and for a build that its run does not have. */
  async read({ a, b: given, rows: wanted, combination: only }: InputOf<'getCompare'>['query']): Promise<Comparison> {
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
    const hashes = new Set([sideA, sideB].flatMap(({ verdicts, metrics }) => [...verdicts, ...metrics].map(hashOf)));
    const combinations = (await readCombinations(this.#sql, hashes)).toSorted(byLabel);
    const isWanted = (hash: string | undefined): boolean => only === undefined || hash === only;
    const { cells, total, counts } = compareVerdicts(sideA.verdicts, sideB.verdicts, combinations.map(hashIs), {
      isListed: (change, index) => (wanted === 'all' || change !== 'same') && isWanted(combinations[index]?.hash),
      max: COMPARED_ROWS_MAX,
    });
    const metrics = compareMetrics(
      sideA.metrics.filter(({ combination }) => isWanted(combination)),
      sideB.metrics.filter(({ combination }) => isWanted(combination)),
      combinations.map(hashIs),
    );
    return {
      a: sideA.view,
      b: sideB.view,
      combinations: combinations.map((combination, index) => ({ combination, counts: counts[index] ?? noChanges() })),
      rows: await this.#withEvidence(cells),
      rowsTotal: total,
      metrics: movedFirst(metrics, COMPARED_METRICS_MAX),
      metricsTotal: metrics.length,
    };
  }

  /** Reasons and log lines are read for what is listed only. */
  async #withEvidence(cells: readonly ComparedCell[]): Promise<ComparedRow[]> {
    const wanted = cells.flatMap(({ suite, test, a, b }) =>
      [a, b].flatMap((found) => (found === null ? [] : [{ attempt_id: found.attemptId, suite, test }])),
    );
    const found = await this.#sql.rows(
      EVIDENCE,
      `select x.attempt_id, x.suite, x.test, x.reason, x.log
       from jsonb_to_recordset($1) as w(attempt_id uuid, suite text, test text)
         join result x on x.attempt_id = w.attempt_id and x.suite = w.suite and x.test = w.test`,
      [JSON.stringify(wanted)],
    );
    const evidence = new Map(found.map((each) => [evidenceKey(each), each]));
    return cells.map(({ a, b, ...cell }) => {
      const outcome = (side: FoundVerdict | null): Outcome | null => {
        if (side === null) return null;
        const { verdict, n, attemptId, repeats } = side;
        const known = evidence.get(evidenceKey({ ...cell, attempt_id: attemptId }));
        const own = known?.reason ?? null;
        const reason = repeats === null ? own : repeatsText(repeats.passed, repeats.conclusive, own);
        return { verdict, n, attemptId, reason, log: known?.log ?? null };
      };
      return { ...cell, a: outcome(a), b: outcome(b) };
    });
  }

  async #run(id: string): Promise<ComparedRun> {
    const [run, kernels] = await Promise.all([
      this.#sql.one(RUN, 'select id, name, state, created_at from run where id = $1', [id]),
      this.#sql.rows(
        KERNEL,
        `select b.id, b.name, u.manifest ->> 'release' as release, u.manifest ->> 'buildId' as "buildId"
         from build b left join bundle u on u.key = b.bundle_key where b.run_id = $1 order by b.position`,
        [id],
      ),
    ]);
    if (run === null) throw notFound('run', id);
    return { ...run, kernels };
  }

  async #side(run: ComparedRun, build: string | null): Promise<Side> {
    const kernel = run.kernels.find(({ name }) => name === build);
    if (kernel === undefined) {
      throw new ProblemError(404, 'not-found', `run ${run.id} has no build ${build ?? 'at all'}`, {
        detail: `it has ${namesOf(run).join(', ') || 'none'}`,
      });
    }
    const attempts = await this.#sql.rows(
      ATTEMPT,
      `select t.id, j.combination from ${ATTEMPTS} where ${OF_SIDE} order by j.position`,
      [run.id, kernel.name],
    );
    const combinationOf = new Map(attempts.map(({ id, combination }) => [id, combination]));
    const placeOf = new Map(attempts.map(({ id }, place) => [id, place]));
    const [packed, metrics] = await Promise.all([
      this.#verdicts.read([...combinationOf.keys()]),
      this.#sql.rows(
        METRIC,
        `select m.suite, m.name, m.unit, m.better, m.samples, m.attempt_id, j.combination
         from ${ATTEMPTS} join measurement m on m.attempt_id = t.id where ${OF_SIDE} order by m.stored_at, m.seq`,
        [run.id, kernel.name],
      ),
    ]);
    const { id, name, state, created_at: createdAt } = run;
    return {
      view: { run: { id, name, state, createdAt: createdAt.toISOString() }, kernel, builds: namesOf(run) },
      verdicts: packed
        .map((row) => ({ ...row, combination: combinationOf.get(row.attemptId) ?? '' }))
        .toSorted((x, y) => (placeOf.get(x.attemptId) ?? 0) - (placeOf.get(y.attemptId) ?? 0)),
      metrics,
    };
  }
}

const evidenceKey = ({ attempt_id: attempt, suite, test }: EvidenceKey): string => [attempt, suite, test].join('\n');
/** At most `max` metrics, those that moved before the others; in the order they came. */
function movedFirst(metrics: readonly ComparedMetric[], max: number): ComparedMetric[] {
  const moved = metrics.filter(({ says }) => says !== 'unclear');
  const kept = new Set([...moved, ...metrics.filter(({ says }) => says === 'unclear')].slice(0, max));
  return metrics.filter((metric) => kept.has(metric));
}

const namesOf = ({ kernels }: ComparedRun): string[] => kernels.map(({ name }) => name);
const hashOf = ({ combination }: { combination: string }): string => combination;
const hashIs = ({ hash }: Combination): string => hash;
const byLabel = (a: Combination, b: Combination): number =>
  a.label < b.label ? -1 : a.label > b.label ? 1 : a.hash < b.hash ? -1 : 1;
