import { type Metric, SAMPLES_MAX } from '../../schema/metric.js';
import { sizedName } from '../message-size.js';
import type { Column } from './columns.js';
import type { PerftestReport, PerftestRow, PerftestRun } from './model.js';
import { PERFTEST_LABEL_MAX, PerftestReader } from './reader.js';

/** Metrics of one output: 24 sizes of ten values each for more than eight programs. */
export const PERFTEST_METRICS_MAX = 2000;
export interface PerftestOptions {
  /** Stands behind the program in names, such as `odp`, where the output has no label of its own. */
  label?: string;
}

/** Reads a whole output. Linear in its length; never throws. */
export function readPerftest(lines: Iterable<string>, options: PerftestOptions = {}): PerftestReport {
  const reader = new PerftestReader();
  for (const line of lines) reader.push(line);
  return reportOf(reader, options);
}

/** What a reader has read; ends it. */
export function reportOf(reader: PerftestReader, options: PerftestOptions = {}): PerftestReport {
  reader.end();
  const { runs, problems } = reader;
  const metrics = metricsOf(runs, options);
  const hasError = problems.some(({ severity }) => severity === 'error');
  return { runs, metrics, problems, outcome: hasError ? 'failed' : metrics.length === 0 ? 'empty' : 'measured' };
}

/** Of the forms in which one figure may stand in an output, the first that is there counts. */
const RANKS = ['client text', 'server text', 'client json'];
const rankOf = ({ role, form }: PerftestRun): number => RANKS.indexOf(`${role} ${form}`);

/** The figures of all runs as metrics. Runs of the same program are repeats: each row is a sample. */
function metricsOf(runs: readonly PerftestRun[], { label = '' }: PerftestOptions): Metric[] {
  const found = new Map<string, { rank: number; metric: Metric }>();
  for (const run of runs) {
    const rank = rankOf(run);
    for (const row of run.rows) {
      for (const { column, value: printed } of row.values) {
        const value = exactly(row, column, printed);
        if (value === null) continue;
        const { what, unit, better } = column;
        const series = [testName(run, label, unit), what, ...levelOf(row)];
        const name = sizedName(series, row.bytes);
        const key = `${name} ${unit}`;
        const known = found.get(key);
        if (known === undefined ? found.size >= PERFTEST_METRICS_MAX : known.rank < rank) continue;
        if (known?.rank === rank) {
          if (known.metric.samples.length < SAMPLES_MAX) known.metric.samples.push(value);
        } else found.set(key, { rank, metric: { name, unit, better, samples: [value], params: paramsOf(run, row) } });
      }
    }
  }
  return [...found.values()].map(({ metric }) => metric);
}

/** Below it, two decimals are fewer than two digits. */
const COARSE_MIB_PER_S = 0.1;

/**
 * A bandwidth has two decimals, a slow one nothing but zeros: its message rate, which has six, says it better. Null for
 * a figure that says nothing: a test by time or without a peak prints 0.00 as its peak.
 */
function exactly({ bytes, values }: PerftestRow, { what, unit }: Column, printed: number): number | null {
  if (what === 'average' && unit === 'MiB/s' && printed < COARSE_MIB_PER_S) {
    const rate = values.find(({ column }) => column.what === 'rate')?.value ?? 0;
    if (rate > 0) return Number(((bytes * rate * 1e6) / 2 ** 20).toPrecision(4));
  }
  return printed === 0 && /^(peak|average)/.test(what) && !LATENCY_UNITS.has(unit) ? null : printed;
}

/** The beginning of a name: the program, and which variant of it. @param unit of a value, where there is no title */
export function testName({ program, label }: PerftestRun, otherwise = '', unit = ''): string {
  const name = program?.name ?? (LATENCY_UNITS.has(unit) ? 'perftest_lat' : 'perftest_bw');
  const variant = label === '' ? otherwise.slice(0, PERFTEST_LABEL_MAX) : label;
  return [
    name,
    ...(program?.isBidirectional === true ? ['bidirectional'] : []),
    ...(variant === '' ? [] : [variant]),
  ].join('.');
}

const LATENCY_UNITS: ReadonlySet<string> = new Set(['us', 'cycles', 'transactions/s']);

const levelOf = ({ level }: PerftestRow): string[] => (level === null ? [] : [`sl${level}`]);

/** Names of settings that are kept with a metric. */
const SETTINGS = { 'Connection type': 'connection', Mtu: 'mtu', 'Number of qps': 'qps' } as const;

function paramsOf({ settings }: PerftestRun, { bytes, iterations }: PerftestRow): Metric['params'] {
  const params: Metric['params'] = { bytes };
  if (iterations !== null) params['iterations'] = iterations;
  for (const [setting, name] of Object.entries(SETTINGS)) {
    const value = settings[setting];
    if (value !== undefined) params[name] = value;
  }
  return params;
}
