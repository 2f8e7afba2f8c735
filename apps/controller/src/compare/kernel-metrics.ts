import { Injectable } from '@nestjs/common';
import type { KernelCursor, KernelMetrics } from '@peerlab/contracts';
import { Sql } from '../platform/database/sql.js';
import { arrangeMetrics, readMetrics, type MetricRow } from '../grid/grid-metrics.js';
import { attemptsOf, newestLines } from '../grid/kernel-lines.js';
import { readTestedKernels, type TestedKernelRow } from '../grid/tested-kernels.js';
import type { VerdictLine } from '../verdicts/packed-verdicts.js';
import { VerdictRows } from '../verdicts/verdict-rows.js';

/** Medians by metric and kernel, beside the verdicts of BuildGridView. */
@Injectable()
export class KernelMetricsView {
  readonly #sql: Sql;
  readonly #verdicts: VerdictRows;

  constructor(sql: Sql, verdicts: VerdictRows) {
    this.#sql = sql;
    this.#verdicts = verdicts;
  }

  /** Of a page of kernels that were tested on the combination; without any where it is not known. */
  async read(combination: string, before: KernelCursor | null): Promise<KernelMetrics> {
    const kernels = await readTestedKernels(this.#sql, combination, before);
    const attempts = attemptsOf(kernels);
    const [lines, measured] = await Promise.all([this.#verdicts.read(attempts), readMetrics(this.#sql, attempts)]);
    return { kernels: kernels.map(({ column }) => column.key), metrics: foldMetrics(kernels, lines, measured) };
  }
}

/**
 * Metrics by kernel. A suite's figures are those of the attempt that its verdicts are taken of, as an older one's
 * would stand beside a verdict that is not theirs; of a suite without verdicts, those of the newest that measured. Pure.
 */
export function foldMetrics(
  kernels: readonly Pick<TestedKernelRow, 'attempts'>[],
  lines: readonly Pick<VerdictLine, 'attemptId' | 'suite'>[],
  measured: readonly MetricRow[],
): KernelMetrics['metrics'] {
  const measuring = measured.flatMap(({ suite, values }) => values.map(({ attemptId }) => ({ attemptId, suite })));
  // The attempt of each kernel and suite: verdicts come later here and win.
  const speaking = new Map(
    [...newestLines(kernels, measuring), ...newestLines(kernels, lines)].map(
      ({ kernel, suite, attemptId }): [string, string] => [`${kernel} ${suite}`, attemptId],
    ),
  );
  const columnOf = new Map(
    kernels.flatMap(({ attempts }, column) => attempts.map(({ attempt }): [string, number] => [attempt, column])),
  );
  return arrangeMetrics(
    kernels.length,
    columnOf,
    measured.flatMap((metric) => {
      const values = metric.values.filter(
        ({ attemptId }) => speaking.get(`${columnOf.get(attemptId)} ${metric.suite}`) === attemptId,
      );
      return values.length === 0 ? [] : [{ ...metric, values }];
    }),
  );
}
