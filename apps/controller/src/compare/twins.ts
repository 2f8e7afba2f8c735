import { Injectable } from '@nestjs/common';
import {
  HARDWARE_KERNELS_MAX,
  judgeTwins,
  NO_NOISE,
  ofRole,
  TWIN_ATTEMPTS_MAX,
  TWIN_KERNELS_READ,
  TWIN_MACHINES_MAX,
  TWIN_METRICS_MAX,
  TWIN_TESTS_MAX,
  type Combination,
  type ComparedRow,
  type MetricNoise,
  type TwinMetricView,
  type Twins,
} from '@peerlab/contracts';
import { compare } from '../grid/grid-rows.js';
import { bootsOf, metricKey, type SizedMetric } from '../grid/measured-boots.js';
import { readNoise } from '../grid/stored-noise.js';
import { IS_TESTED } from '../grid/tested-jobs.js';
import { integer, text, uuid, type RowOf } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import type { InputOf } from '../platform/http/serve.js';
import { VerdictRows } from '../verdicts/verdict-rows.js';
import { spreadOf } from './compare-metrics.js';
import { compareVerdicts, type ComparedCell } from './compare-verdicts.js';
import {
  KERNEL,
  KERNEL_SQL,
  kernelView,
  readKernel,
  readSortedCombinations,
  type KernelRow,
} from './compared-kernel.js';
import { withEvidence } from './evidence-rows.js';
import { readMeasured } from './measured.js';

/** Tested jobs of the kernel with the bundle's key `$1`. `offset 0`: they are looked up build by build. */
const TESTED = `
  from build b cross join lateral (
    select id, combination, machine, ended_at from job
    where build_id = b.id and combination is not null and machine is not null and ${IS_TESTED} offset 0) j
  where b.bundle_key = `;

/**
 * Of the newest kernels those that two machines with the same hardware (the combination `$1`, or null for any) have tested,
 * each under its newest build; at most `$2`.
 */
const KERNELS_SQL = `
  select b.id, b.name, ${KERNEL_SQL}
  from (select * from bundle order by created_at desc, key desc limit ${TWIN_KERNELS_READ}) u cross join lateral (
      select id, name, spec, commit from build where bundle_key = u.key order by created_at desc limit 1) b
  where exists (
    select j.combination ${TESTED} u.key and ($1::text is null or j.combination = $1)
    group by j.combination having count(distinct j.machine) > 1)
  order by u.created_at desc, u.key desc limit $2`;

const ATTEMPT = { id: uuid, machine: text, machines: integer };

/**
 * The newest attempts of the kernel `$1` on each machine of the combination `$2`, oldest first; one more tells of older
 * ones. Of more machines than are compared those with the newest results; `machines`: how many there are.
 */
const ATTEMPTS_SQL = `
  with own as materialized (select j.id, j.machine, j.ended_at ${TESTED} $1 and j.combination = $2),
  tested as (
    select machine, (count(*) over ())::int as machines from own group by machine
    order by max(ended_at) desc, machine limit ${TWIN_MACHINES_MAX})
  select t.id, m.machine, m.machines
  from tested m cross join lateral (
      select id, ended_at from own where machine = m.machine order by ended_at desc limit ${TWIN_ATTEMPTS_MAX + 1}) j
    cross join lateral (select id from attempt where job_id = j.id order by number desc limit 1) t
  order by j.ended_at, t.id`;

/** One kernel on machines with the same hardware. */
@Injectable()
export class TwinsView {
  readonly #sql: Sql;
  readonly #verdicts: VerdictRows;

  constructor(sql: Sql, verdicts: VerdictRows) {
    this.#sql = sql;
    this.#verdicts = verdicts;
  }

  /**
   * Without a build: the newest kernel that two machines with the same hardware tested, on that hardware if it is given.
   * Problems: 404 for a build that does not exist or was never built.
   */
  async read({ build, combination: wanted }: InputOf<'getTwins'>['query']): Promise<Twins> {
    const found = await this.#sql.rows(KERNEL, KERNELS_SQL, [null, HARDWARE_KERNELS_MAX]);
    const kernels = found.map(kernelView);
    const kernel = build === undefined ? await this.#newestOn(wanted) : await readKernel(this.#sql, build);
    if (kernel === null) return { kernels, combinations: [], twins: null };
    const combinations = await this.#combinationsOf(kernel.key);
    const chosen = wanted === undefined ? combinations[0] : combinations.find(({ hash }) => hash === wanted);
    return { kernels, combinations, twins: chosen === undefined ? null : await this.#twins(kernel, chosen) };
  }

  #newestOn(combination: string | undefined): Promise<KernelRow | null> {
    return this.#sql.one(KERNEL, KERNELS_SQL, [combination ?? null, 1]);
  }

  async #combinationsOf(key: string): Promise<Combination[]> {
    const rows = await this.#sql.rows(
      { combination: text },
      `select j.combination ${TESTED} $1 group by j.combination having count(distinct j.machine) > 1`,
      [key],
    );
    return readSortedCombinations(
      this.#sql,
      rows.map(({ combination }) => combination),
    );
  }

  async #twins(kernel: KernelRow, combination: Combination): Promise<NonNullable<Twins['twins']>> {
    const found = await this.#sql.rows(ATTEMPT, ATTEMPTS_SQL, [kernel.key, combination.hash]);
    const byMachine = new Map<string, RowOf<typeof ATTEMPT>[]>();
    for (const row of found) byMachine.set(row.machine, [...(byMachine.get(row.machine) ?? []), row]);
    const names = [...byMachine.keys()].toSorted(compare);
    const kept = names.flatMap((name) => (byMachine.get(name) ?? []).slice(-TWIN_ATTEMPTS_MAX));
    const ids = kept.map(({ id }) => id);
    const machineOf = new Map(kept.map(({ id, machine }) => [id, machine]));
    const [packed, figures] = await Promise.all([this.#verdicts.read(ids), readMeasured(this.#sql, ids)]);
    // In a job with several roles the other machines measure, too: they are compared only where they are among these.
    const measured = figures.filter(({ machine }) => byMachine.has(machine));
    const place = (id: string): number => ids.indexOf(id);
    const all = packed
      .map((row) => ({ ...row, combination: machineOf.get(row.attemptId) ?? '' }))
      .toSorted((x, y) => place(x.attemptId) - place(y.attemptId));
    // With nothing on the other side each cell is what one machine says of a test.
    const { cells } = compareVerdicts(all, [], names, { isListed: () => true, max: Infinity });
    const tests = testsOf(cells);
    const differing = [...tests.values()].filter((own) => new Set(own.map(({ a }) => a?.verdict)).size > 1);
    const rows = await withEvidence(this.#sql, differing.slice(0, TWIN_TESTS_MAX).flat());
    const noise = await readNoise(this.#sql, measured);
    const metrics = arrangeMetrics(measured, names, noise);
    return {
      kernel: kernelView(kernel),
      combination,
      machines: names.map((name) => {
        const attempts = byMachine.get(name)?.length ?? 0;
        return { name, attempts: Math.min(attempts, TWIN_ATTEMPTS_MAX), isCut: attempts > TWIN_ATTEMPTS_MAX };
      }),
      machinesTotal: found[0]?.machines ?? names.length,
      tests: [...testsOf(rows).values()].flatMap((own) => outcomesOf(own, names.length)),
      testsTotal: differing.length,
      testsCompared: tests.size,
      metrics: metrics.slice(0, TWIN_METRICS_MAX),
      metricsTotal: metrics.length,
    };
  }
}

/** Cells by their test. */
function testsOf<T extends Pick<ComparedCell, 'suite' | 'test'>>(cells: readonly T[]): Map<string, T[]> {
  const tests = new Map<string, T[]>();
  for (const cell of cells) {
    const key = `${cell.suite}\n${cell.test}`;
    const own = tests.get(key);
    if (own === undefined) tests.set(key, [cell]);
    else own.push(cell);
  }
  return tests;
}

function outcomesOf(
  rows: readonly ComparedRow[],
  machines: number,
): { suite: string; test: string; outcomes: ComparedRow['a'][] }[] {
  const [first] = rows;
  if (first === undefined) return [];
  const outcomes = Array.from({ length: machines }, (_, at) => rows.find((row) => row.combination === at)?.a ?? null);
  return [{ suite: first.suite, test: first.test, outcomes }];
}

/** Every metric on each machine; those first in which one stands out. Pure. */
export function arrangeMetrics(
  measured: readonly SizedMetric[],
  machines: readonly string[],
  noise: ReadonlyMap<string, MetricNoise>,
): TwinMetricView[] {
  const groups = new Map<string, SizedMetric[]>();
  for (const each of measured) {
    const key = metricKey(each);
    const own = groups.get(key);
    if (own === undefined) groups.set(key, [each]);
    else own.push(each);
  }
  const all = [...groups].flatMap(([key, own]) => (own[0] === undefined ? [] : [{ key, own, first: own[0] }]));
  const judged = judgeTwins(
    all.map(({ key, own, first: { better } }) => ({ better, boots: bootsOf(own), noise: noise.get(key) ?? NO_NOISE })),
  );
  return all
    .flatMap(({ own, first: { suite, name, role, unit, better } }, index): TwinMetricView[] => {
      const judgement = judged[index];
      if (judgement === undefined) return [];
      const { machine, ...rest } = judgement;
      return [
        {
          suite,
          name,
          ...ofRole({ role }),
          unit,
          better,
          spreads: machines.map((each) => spreadOf(own.filter((metric) => metric.machine === each))),
          outlier: machine === null ? null : machines.indexOf(machine),
          ...rest,
        },
      ];
    })
    .toSorted(
      (x, y) =>
        Number(x.outlier === null) - Number(y.outlier === null) ||
        compare(x.suite, y.suite) ||
        compare(x.name, y.name) ||
        compare(x.role ?? '', y.role ?? ''),
    );
}
