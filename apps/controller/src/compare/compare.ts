import { Injectable } from '@nestjs/common';
import {
  chooseBuilds,
  COMPARED_METRICS_MAX,
  COMPARED_ROWS_MAX,
  NO_NOISE,
  type BuiltGit,
  type Combination,
  type ComparedSide,
  type Comparison,
  type RunState,
  type TestedKernel,
} from '@peerlab/contracts';
import type { InputOf } from '../platform/http/serve.js';
import { notFound, ProblemError } from '../platform/http/problem.js';
import { BUILT_GIT } from '../platform/database/built-git.js';
import { ROLE_KERNELS_SQL } from '../platform/database/role-kernel.js';
import { columnsOf, integer, json, nullable, pick, text, uuid } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { Attempt } from '../schema/attempts.js';
import { Build } from '../schema/builds.js';
import { Measurement } from '../schema/results.js';
import { Run } from '../schema/runs.js';
import { compareMetrics } from './compare-metrics.js';
import { metricKey, ROLE_SQL, SIZE_COLUMNS, SIZE_SQL, type SizedMetric } from '../grid/measured-boots.js';
import { movedFirst, withEvidence } from './evidence-rows.js';
import { readNoise } from '../grid/stored-noise.js';
import { compareVerdicts, noChanges, type SideVerdicts } from './compare-verdicts.js';
import { compare } from '../grid/grid-rows.js';
import { readSortedCombinations } from './compared-kernel.js';
import { VerdictRows } from '../verdicts/verdict-rows.js';

interface ComparedRun {
  id: string;
  name: string;
  state: RunState;
  created_at: Date;
  kernels: TestedKernel[];
}

/** Where something ran: hash of the combination, and the machine. */
interface Ran {
  combination: string;
  machine: string;
}

/** A place whose two sides are compared. `machine`: null where machines are not told apart. */
interface Place {
  key: string;
  combination: Combination;
  machine: string | null;
}

interface Side {
  view: ComparedSide;
  verdicts: (SideVerdicts & Ran)[];
  metrics: SizedMetric[];
  /** The kernel of each attempt, by build-id, or the kernels of all its roles. */
  kernels: ReadonlyMap<string, string>;
}

const RUN = pick(columnsOf(Run), 'id', 'name', 'state', 'created_at');
const KERNEL = {
  ...pick(columnsOf(Build), 'id', 'name'),
  release: nullable(text),
  buildId: nullable(text),
  git: nullable(json<BuiltGit>()),
};
const ATTEMPT = { ...pick(columnsOf(Attempt), 'id'), combination: text, machine: text, kernels: text };
const METRIC = {
  ...pick(columnsOf(Measurement), 'suite', 'name', 'unit', 'better', 'median', 'attempt_id'),
  role: nullable(text),
  n: integer,
  run_id: uuid,
  machine: text,
  combination: text,
  ...SIZE_COLUMNS,
};

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
  async read({
    a,
    b: given,
    rows: wanted,
    combination: only,
    machines,
  }: InputOf<'getCompare'>['query']): Promise<Comparison> {
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
    const places = await this.#places([sideA, sideB], machines === 'each');
    const keys = places.map(({ key }) => key);
    const keyOf = (each: Ran): string => placeKey(each, machines === 'each');
    const isWanted = (hash: string | undefined): boolean => only === undefined || hash === only;
    const placed = ({ verdicts }: Side): SideVerdicts[] => verdicts.map((row) => ({ ...row, combination: keyOf(row) }));
    const { cells, total, counts } = compareVerdicts(placed(sideA), placed(sideB), keys, {
      isListed: (change, index) => (wanted === 'all' || change !== 'same') && isWanted(places[index]?.combination.hash),
      max: COMPARED_ROWS_MAX,
    });
    const [ofA = [], ofB = []] = [sideA.metrics, sideB.metrics].map((all) =>
      all.filter(({ combination }) => isWanted(combination)),
    );
    const noise = await readNoise(this.#sql, [...ofA, ...ofB]);
    const moved = (metric: SizedMetric): SizedMetric => ({ ...metric, combination: keyOf(metric) });
    const metrics = compareMetrics(
      {
        a: ofA.map(moved),
        b: ofB.map(moved),
        // What is known of a metric on a combination holds for each of its machines.
        noise: new Map(
          [...ofA, ...ofB].map((metric) => [metricKey(moved(metric)), noise.get(metricKey(metric)) ?? NO_NOISE]),
        ),
        isSameKernel: isSameKernel(sideA, sideB),
        byMachine: true,
      },
      keys,
    );
    return {
      a: sideA.view,
      b: sideB.view,
      combinations: places.map(({ combination, machine }, index) => ({
        combination,
        ...(machine === null ? {} : { machine }),
        counts: counts[index] ?? noChanges(),
      })),
      rows: await withEvidence(this.#sql, cells),
      rowsTotal: total,
      metrics: movedFirst(metrics, COMPARED_METRICS_MAX),
      metricsTotal: metrics.length,
    };
  }

  /** Where either side ran: combinations by label, or their machines. */
  async #places(sides: readonly Side[], isEachMachine: boolean): Promise<Place[]> {
    const ran = new Map<string, Ran>();
    for (const { verdicts, metrics } of sides) {
      for (const { combination, machine } of [...verdicts, ...metrics]) {
        ran.set(placeKey({ combination, machine }, isEachMachine), { combination, machine });
      }
    }
    const hashes = [...ran.values()].map(({ combination }) => combination);
    const all = await readSortedCombinations(this.#sql, hashes);
    return all.flatMap((combination) =>
      [...ran]
        .filter(([, own]) => own.combination === combination.hash)
        .toSorted(([x], [y]) => compare(x, y))
        .map(([key, { machine }]) => ({ key, combination, machine: isEachMachine ? machine : null })),
    );
  }

  async #run(id: string): Promise<ComparedRun> {
    const [run, kernels] = await Promise.all([
      this.#sql.one(RUN, 'select id, name, state, created_at from run where id = $1', [id]),
      this.#sql.rows(
        KERNEL,
        `select b.id, b.name, u.manifest ->> 'release' as release, u.manifest ->> 'buildId' as "buildId", ${BUILT_GIT} as git
         from build b left join bundle u on u.key = b.bundle_key where b.run_id = $1 order by b.position`,
        [id],
      ),
    ]);
    if (run === null) throw notFound('run', id);
    return { ...run, kernels };
  }

  async #side(run: ComparedRun, build: string | null): Promise<Side> {
    const own = run.kernels.filter(({ name }) => name === build);
    const kernel = kernelOfSide(own);
    if (kernel === null) {
      throw new ProblemError(404, 'not-found', `run ${run.id} has no build ${build ?? 'at all'}`, {
        detail: `it has ${namesOf(run).join(', ') || 'none'}`,
      });
    }
    const attempts = await this.#sql.rows(
      ATTEMPT,
      `select t.id, j.combination, coalesce(j.machine, '') as machine,
         coalesce(${ROLE_KERNELS_SQL}, built.manifest ->> 'buildId', b.id::text) as kernels
       from ${ATTEMPTS} left join bundle built on built.key = b.bundle_key where ${OF_SIDE} order by j.position`,
      [run.id, kernel.name],
    );
    const ranOn = new Map(attempts.map(({ id, combination, machine }) => [id, { combination, machine }]));
    const placeOf = new Map(attempts.map(({ id }, place) => [id, place]));
    const [packed, metrics] = await Promise.all([
      this.#verdicts.read([...ranOn.keys()]),
      this.#sql.rows(
        METRIC,
        `select m.suite, m.name, ${ROLE_SQL}, m.unit, m.better, m.median, cardinality(m.samples) as n, m.attempt_id, ${SIZE_SQL},
           j.run_id, coalesce(j.machine, '') as machine, j.combination
         from ${ATTEMPTS} join measurement m on m.attempt_id = t.id where ${OF_SIDE} order by m.stored_at, m.seq`,
        [run.id, kernel.name],
      ),
    ]);
    const { id, name, state, created_at: createdAt } = run;
    return {
      view: {
        run: { id, name, state, createdAt: createdAt.toISOString() },
        kernel,
        ...(own.length > 1 ? { kernelsTotal: own.length } : {}),
        builds: namesOf(run),
      },
      verdicts: packed
        .map((row) => ({ ...row, ...(ranOn.get(row.attemptId) ?? NOWHERE) }))
        .toSorted((x, y) => (placeOf.get(x.attemptId) ?? 0) - (placeOf.get(y.attemptId) ?? 0)),
      metrics,
      kernels: new Map(attempts.map((each) => [each.id, each.kernels])),
    };
  }
}

/** What a side shows of the kernels of its build; null without any. Several are told apart by machine, in the results. */
function kernelOfSide([first, ...others]: readonly TestedKernel[]): TestedKernel | null {
  if (first === undefined || others.length === 0) return first ?? null;
  const isSameRelease = others.every(({ release }) => release === first.release);
  return { ...first, release: isSameRelease ? first.release : null, buildId: null };
}

/**
 * Whether attempts of both sides booted the same kernel, and in jobs with several roles the same ones in all of them. Equal
 * builds of one run are one kernel, too, when the build-id is not known. Where machines of one combination have kernels of
 * their own, both sides have to have booted the same ones.
 */
function isSameKernel(a: Side, b: Side): (attempts: readonly string[]) => boolean {
  const kernelsOf = ({ kernels }: Side, attempts: readonly string[]): string =>
    [...new Set(attempts.flatMap((id) => kernels.get(id) ?? []))].toSorted().join('\n');
  return (attempts) => kernelsOf(a, attempts) === kernelsOf(b, attempts);
}

const namesOf = ({ kernels }: ComparedRun): string[] => [...new Set(kernels.map(({ name }) => name))];
const NOWHERE: Ran = { combination: '', machine: '' };
const placeKey = ({ combination, machine }: Ran, isEachMachine: boolean): string =>
  isEachMachine ? `${combination} ${machine}` : combination;
