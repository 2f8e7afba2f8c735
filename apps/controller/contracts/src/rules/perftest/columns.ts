/** What a column of a table of perftest holds. */
export interface Column {
  /** `bytes`, `iterations`, `level` and `port` identify a row or describe it; any other is a measured value. */
  what: string;
  unit: string;
  better: 'lower' | 'higher';
}

const bandwidth = (what: string, unit: string): Column => ({ what, unit, better: 'higher' });
const rate = (what: string): Column => ({ what, unit: 'Mpps', better: 'higher' });
const latency = (what: string, unit: string): Column => ({ what, unit, better: 'lower' });
const described = (what: string): Column => ({ what, unit: '', better: 'higher' });

/**
 * Units of a bandwidth in a header. perftest counts 2^20 bytes under both names: 6.06 (Debian 12) writes `MB/sec`,
 * later versions `MiB/sec`.
 */
const BANDWIDTH_UNITS = [
  ['MB/sec', 'MiB/s'],
  ['MiB/sec', 'MiB/s'],
  ['Gb/sec', 'Gb/s'],
] as const;
/** `cycles` is what `--report-cycles` prints. */
const LATENCY_UNITS = [
  ['usec', 'us'],
  ['cycles', 'cycles'],
] as const;

/** Every head of a column that perftest prints for the bandwidth and latency tests, without its blanks. */
const HEADS: ReadonlyMap<string, Column> = new Map([
  ['#bytes', described('bytes')],
  ['#sl', described('level')],
  ['#iterations', described('iterations')],
  ['MsgRate[Mpps]', rate('rate')],
  ['MsgRatePort1[Mpps]', rate('rate.port1')],
  ['MsgRatePort2[Mpps]', rate('rate.port2')],
  ['CPU_Util[%]', { what: 'cpu', unit: '%', better: 'lower' }],
  ['tpsaverage', { what: 'transactions', unit: 'transactions/s', better: 'higher' }],
  ...BANDWIDTH_UNITS.flatMap(([printed, unit]): [string, Column][] => [
    [`BWpeak[${printed}]`, bandwidth('peak', unit)],
    [`BWaverage[${printed}]`, bandwidth('average', unit)],
    [`BWPort1[${printed}]`, bandwidth('average.port1', unit)],
    [`BWPort2[${printed}]`, bandwidth('average.port2', unit)],
  ]),
  ...LATENCY_UNITS.flatMap(([printed, unit]): [string, Column][] => [
    [`t_min[${printed}]`, latency('min', unit)],
    [`t_max[${printed}]`, latency('max', unit)],
    [`t_typical[${printed}]`, latency('typical', unit)],
    [`t_avg[${printed}]`, latency('average', unit)],
    [`t_stdev[${printed}]`, latency('stdev', unit)],
    [`99%percentile[${printed}]`, latency('p99', unit)],
    [`99.9%percentile[${printed}]`, latency('p99.9', unit)],
  ]),
]);
/** A head has three words at most: `MsgRate Port1[Mpps]`, `99% percentile[usec]`. */
const HEAD_WORDS_MAX = 3;

/** Values of the JSON form by their names, without the unit of a bandwidth, which it does not tell. */
export const JSON_VALUES: ReadonlyMap<string, Column> = new Map([
  ['BW_peak', bandwidth('peak', '')],
  ['BW_average', bandwidth('average', '')],
  ['MsgRate', rate('rate')],
  ['CPU_util', { what: 'cpu', unit: '%', better: 'lower' }],
  ['t_min', latency('min', 'us')],
  ['t_max', latency('max', 'us')],
  ['t_typical', latency('typical', 'us')],
  ['t_avg', latency('average', 'us')],
  ['t_stdev', latency('stdev', 'us')],
  ['percentile_99', latency('p99', 'us')],
  ['percentile_99.9', latency('p99.9', 'us')],
  ['tps_average', { what: 'transactions', unit: 'transactions/s', better: 'higher' }],
]);

/** Words of a line between blanks and tabs. */
export const wordsOf = (line: string): string[] => line.split(/[ \t]+/).filter((word) => word !== '');

/** The columns of a header, in its order. Null for any other line, and for a header with a column that is not known. */
export function parseHeader(line: string): Column[] | null {
  const words = wordsOf(line);
  if (words[0] !== '#bytes') return null;
  const columns: Column[] = [];
  let at = 0;
  while (at < words.length) {
    let used = 1;
    let column: Column | undefined;
    for (; used <= HEAD_WORDS_MAX; used += 1) {
      column = HEADS.get(words.slice(at, at + used).join(''));
      if (column !== undefined) break;
    }
    if (column === undefined) return null;
    columns.push(column);
    at += used;
  }
  return columns;
}
