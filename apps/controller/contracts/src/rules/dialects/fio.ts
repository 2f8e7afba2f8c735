import type { Metric } from '../../schema/metric.js';
import { z } from 'zod';
import { type DialectEnd, type DialectEvent, type DialectReader, type SuiteExit, withoutTests } from './dialect.js';
import { NamedTests } from './named-tests.js';

/** Characters of a report that are kept: some hundred jobs. */
const REPORT_MAX = 4 * 1024 * 1024;
const JOBS_MAX = 500;

const Side = z
  .object({
    total_ios: z.number().catch(0),
    bw_bytes: z.number().nonnegative().catch(0),
    iops: z.number().nonnegative().catch(0),
    clat_ns: z
      .object({ mean: z.number().nonnegative(), percentile: z.record(z.string(), z.number()).optional() })
      .optional()
      .catch(undefined),
  })
  .optional();
const Report = z.object({
  jobs: z
    .array(
      z.object({ jobname: z.string().catch('job'), error: z.number().catch(0), read: Side, write: Side, trim: Side }),
    )
    .max(JOBS_MAX),
});

/** The report of `fio --output-format=json` on its standard output: a test for each job, and what it measured. */
export class FioReader implements DialectReader {
  readonly #tests = new NamedTests();
  readonly #lines: string[] = [];
  #length = 0;
  #isOpen = false;

  line(text: string): DialectEvent[] {
    if (!this.#isOpen && text.trimEnd() === '{') this.#isOpen = true;
    if (this.#isOpen) {
      this.#length += text.length;
      if (this.#length <= REPORT_MAX) this.#lines.push(text);
      if (text.trimEnd() === '}') this.#isOpen = false;
    }
    return [];
  }

  end(exit: SuiteExit): DialectEnd {
    const report = this.#report();
    if (report === null) {
      return { events: [], whole: withoutTests(exit, 'its output has no whole report in JSON (--output-format=json)') };
    }
    const events = report.jobs.flatMap(({ jobname, error, ...sides }): DialectEvent[] => [
      this.#tests.result(jobname, error === 0 ? 'pass' : 'fail', error === 0 ? null : `fio reports the error ${error}`),
      ...(['read', 'write', 'trim'] as const).flatMap((side) => metricsOf(side, sides[side])),
    ]);
    return { events, whole: this.#tests.whole(exit, report.jobs.length) };
  }

  #report(): z.infer<typeof Report> | null {
    if (this.#isOpen || this.#length > REPORT_MAX) return null;
    try {
      return Report.parse(JSON.parse(this.#lines.join('\n')));
    } catch {
      return null;
    }
  }
}

function metricsOf(side: string, measured: z.infer<typeof Side>): DialectEvent[] {
  if (measured === undefined || measured.total_ios === 0) return [];
  const metric = (name: string, unit: string, better: Metric['better'], value: number): DialectEvent => ({
    type: 'metric',
    metric: { name: `${side}.${name}`, unit, better, samples: [value], params: {} },
  });
  const p99 = measured.clat_ns?.percentile?.['99.000000'];
  return [
    metric('bandwidth', 'B/s', 'higher', measured.bw_bytes),
    metric('iops', 'IO/s', 'higher', measured.iops),
    ...(measured.clat_ns === undefined ? [] : [metric('latency.mean', 'ns', 'lower', measured.clat_ns.mean)]),
    ...(p99 === undefined ? [] : [metric('latency.p99', 'ns', 'lower', p99)]),
  ];
}
