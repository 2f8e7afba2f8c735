import { Injectable } from '@nestjs/common';
import {
  COMPARED_METRICS_MAX,
  COMPARED_ROWS_MAX,
  HARDWARE_KERNELS_MAX,
  type Combination,
  type HardwareComparison,
  type HardwareSide,
} from '@peerlab/contracts';
import { IS_TESTED } from '../grid/tested-jobs.js';
import { json, text, uuid } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import type { InputOf } from '../platform/http/serve.js';
import { VerdictRows } from '../verdicts/verdict-rows.js';
import { compareMetrics } from './compare-metrics.js';
import type { SizedMetric } from '../grid/measured-boots.js';
import { KERNEL, KERNEL_SQL, kernelView, readKernel, readSortedCombinations } from './compared-kernel.js';
import { readMeasured } from './measured.js';
import { compareVerdicts, noChanges, type SideVerdicts } from './compare-verdicts.js';
import { movedFirst, withEvidence } from './evidence-rows.js';
import { readNoise } from '../grid/stored-noise.js';

const ATTEMPT = { id: uuid, machines: json<string[]>() };

/** Newest jobs of a kernel on one combination that are compared. */
const JOBS_PER_SIDE = 100;

/** The newest attempts of the tested jobs of the kernel `$1` on the combination `$2`, oldest first; one more tells of older ones. */
const ATTEMPTS_SQL = `
  select t.id, (select coalesce(jsonb_agg(machine), '[]') from participant
    where attempt_id = t.id and machine is not null) as machines
  from (
      select tested.id, tested.ended_at from build b cross join lateral (
        select id, ended_at from job where build_id = b.id and combination = $2 and ${IS_TESTED} offset 0) tested
      where b.bundle_key = $1 order by tested.ended_at desc limit ${JOBS_PER_SIDE + 1}) j
    cross join lateral (select id from attempt where job_id = j.id order by number desc limit 1) t
  order by j.ended_at, t.id`;

/** Combinations that a kernel was tested on. `key`: its bundle's key in SQL. */
const testedOn = (key: string): string => `
  select distinct tested.combination from build b cross join lateral (
    select combination from job where build_id = b.id and combination is not null and ${IS_TESTED} offset 0) tested
  where b.bundle_key = ${key}`;

/** Kernels that were tested on two combinations or more, the newest first, each under its newest build. */
const KERNELS_SQL = `
  select b.id, b.name, ${KERNEL_SQL}
  from bundle u cross join lateral (
      select id, name, spec, commit from build where bundle_key = u.key order by created_at desc limit 1) b
  where (select count(*) from (${testedOn('u.key')} limit 2) two) = 2
  order by u.created_at desc, u.key desc limit ${HARDWARE_KERNELS_MAX + 1}`;

/** One kernel on two combinations of hardware. */
@Injectable()
export class HardwareView {
  readonly #sql: Sql;
  readonly #verdicts: VerdictRows;

  constructor(sql: Sql, verdicts: VerdictRows) {
    this.#sql = sql;
    this.#verdicts = verdicts;
  }

  /**
   * Without a build: the newest kernel that was tested on two combinations. Without combinations: the first two of that
   * kernel by label. Problems: 404 for a build that does not exist or was never built.
   */
  async read({ build, a, b, rows: wanted }: InputOf<'getHardware'>['query']): Promise<HardwareComparison> {
    const found = await this.#sql.rows(KERNEL, KERNELS_SQL);
    const kernels = found.slice(0, HARDWARE_KERNELS_MAX);
    const chosen = build === undefined ? kernels[0] : await readKernel(this.#sql, build);
    const isCut = found.length > HARDWARE_KERNELS_MAX;
    const listed = kernels.map(kernelView);
    if (chosen === undefined) return { kernels: listed, isCut, combinations: [], comparison: null };
    const tested = await this.#sql.rows({ combination: text }, testedOn('$1'), [chosen.key]);
    const combinations = await readSortedCombinations(
      this.#sql,
      tested.map(({ combination }) => combination),
    );
    const [first, second] = chooseTwo(combinations, a, b);
    const kernel = kernelView(chosen);
    if (first === undefined || second === undefined) return { kernels: listed, isCut, combinations, comparison: null };
    const [left, right] = await Promise.all([this.#side(chosen.key, first), this.#side(chosen.key, second)]);
    const { cells, total, counts } = compareVerdicts(left.verdicts, right.verdicts, [PAIR], {
      isListed: (change) => wanted === 'all' || change !== 'same',
      max: COMPARED_ROWS_MAX,
    });
    const metrics = compareMetrics(
      {
        a: left.metrics.map(asPair),
        b: right.metrics.map(asPair),
        noise: new Map(
          // The noisier of the two sides is that of the pair.
          [...(await readNoise(this.#sql, [...left.metrics, ...right.metrics]))]
            .toSorted(([, x], [, y]) => varianceOf(x.boots) - varianceOf(y.boots))
            .map(([key, noise]) => [key.slice(0, key.lastIndexOf('\n') + 1) + PAIR, noise]),
        ),
        isSameKernel: () => false,
        byMachine: false,
      },
      [PAIR],
    );
    return {
      kernels: listed,
      isCut,
      combinations,
      comparison: {
        kernel,
        a: left.view,
        b: right.view,
        counts: counts[0] ?? noChanges(),
        rows: await withEvidence(this.#sql, cells),
        rowsTotal: total,
        metrics: movedFirst(metrics, COMPARED_METRICS_MAX),
        metricsTotal: metrics.length,
      },
    };
  }

  async #side(
    key: string,
    combination: Combination,
  ): Promise<{ view: HardwareSide; verdicts: SideVerdicts[]; metrics: SizedMetric[] }> {
    const found = await this.#sql.rows(ATTEMPT, ATTEMPTS_SQL, [key, combination.hash]);
    const attempts = found.slice(-JOBS_PER_SIDE);
    const ids = attempts.map(({ id }) => id);
    const placeOf = new Map(ids.map((id, place) => [id, place]));
    const [packed, metrics] = await Promise.all([this.#verdicts.read(ids), readMeasured(this.#sql, ids)]);
    const machines = [...new Set(attempts.flatMap((attempt) => attempt.machines))].toSorted();
    return {
      view: { combination, machines, attempts: ids.length, isCut: found.length > ids.length },
      verdicts: packed
        .map((row) => ({ ...row, combination: PAIR }))
        .toSorted((x, y) => (placeOf.get(x.attemptId) ?? 0) - (placeOf.get(y.attemptId) ?? 0)),
      metrics,
    };
  }
}

/** Stands for both combinations, so that what each has is compared with the other. */
const PAIR = 'pair';
const asPair = (metric: SizedMetric): SizedMetric => ({ ...metric, combination: PAIR });
const varianceOf = ({ squares, freedom }: { squares: number; freedom: number }): number =>
  freedom === 0 ? 0 : squares / freedom;

/** The two combinations that are compared: those asked for, and else the first ones; never one with itself. */
export function chooseTwo(
  all: readonly Combination[],
  a: string | undefined,
  b: string | undefined,
): [Combination | undefined, Combination | undefined] {
  const find = (hash: string | undefined): Combination | undefined => all.find((each) => each.hash === hash);
  const first = find(a) ?? all.find(({ hash }) => hash !== b);
  const second = find(b === first?.hash ? undefined : b) ?? all.find(({ hash }) => hash !== first?.hash);
  return [first, second];
}
