import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  Metric,
  messageSizeOf,
  PERFTEST_METRICS_MAX,
  PERFTEST_ROWS_MAX,
  PERFTEST_RUNS_MAX,
  readPerftest,
  type PerftestReport,
} from '../../index.js';
import { growthOf } from '../../testing/growth.js';
import { unitOfBandwidth } from './json-form.js';

const FOLDER = fileURLToPath(new URL('../../../fixtures/perftest/', import.meta.url));
const NAMES = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));
const read = (name: string, label = ''): PerftestReport =>
  readPerftest(readFileSync(`${FOLDER}${name}`, 'utf8').split('\n'), { label });
const valuesOf = ({ metrics }: PerftestReport): Record<string, number[]> =>
  Object.fromEntries(metrics.map(({ name, samples }) => [name, samples]));
const problemsOf = ({ problems }: PerftestReport): string[] => problems.map(({ id }) => id);

describe('the corpus', () => {
  // UPDATE_GOLDEN=1 writes what is read now; look at the difference before it is committed.
  it.each(NAMES)('%s is read as it was', (name) => {
    const file = `${FOLDER}${name.slice(0, -'.txt'.length)}.expected.json`;
    const found: unknown = JSON.parse(JSON.stringify(read(name)));
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, `${JSON.stringify(found, null, 2)}\n`);
    expect(found).toEqual(JSON.parse(readFileSync(file, 'utf8')));
  });

  it.each(NAMES)('%s gives metrics that an agent may send', (name) => {
    for (const metric of read(name).metrics) {
      expect(Metric.parse(metric)).toEqual(metric);
      expect(messageSizeOf(metric)?.bytes).toBe(metric.params['bytes']);
    }
  });

  it.each(NAMES.filter((name) => name.startsWith('failed-')))('%s is a failure with a remedy', (name) => {
    const { outcome, problems } = read(name);
    expect(outcome).toBe('failed');
    for (const { text, remedy } of problems) expect([text, remedy]).not.toContain('');
  });
});

describe('bandwidth', () => {
  it('is in MiB/s under either name, with peak, average and message rate, more being better', () => {
    const { metrics, runs, outcome } = read('6.06-write-bw-odp.txt', 'odp');
    expect(outcome).toBe('measured');
    expect(metrics.map(({ name, unit, better, samples }) => [name, unit, better, ...samples])).toEqual([
      ['ib_write_bw.odp.peak.65536', 'MiB/s', 'higher', 15.09],
      ['ib_write_bw.odp.average.65536', 'MiB/s', 'higher', 11.51],
      ['ib_write_bw.odp.rate.65536', 'Mpps', 'higher', 0.000184],
    ]);
    expect(metrics[0]?.params).toEqual({ bytes: 65536, iterations: 200, connection: 'RC', mtu: '1024[B]', qps: '1' });
    expect(runs[0]).toMatchObject({
      dialect: '6.06',
      role: 'client',
      settings: { 'Dual-port': 'OFF', Device: 'rxe0', 'Transport type': 'IB', 'TX depth': '128', 'rdma_cm QPs': 'OFF' },
    });
    const later = read('later-write-bw.txt');
    expect(later.runs[0]).toMatchObject({ dialect: 'later', settings: { 'Lock-free': 'OFF', 'CQE Poll Batch': '16' } });
    expect(later.metrics.map(({ unit }) => unit)).toEqual(['MiB/s', 'MiB/s', 'Mpps', 'MiB/s', 'MiB/s', 'Mpps']);
    expect(later).toMatchObject({ outcome: 'measured', problems: [{ severity: 'warning' }, { id: 'cpu-frequency' }] });
  });

  it('has a metric for each of many sizes', () => {
    const sizes = new Set(read('6.06-send-bw-all-sizes.txt').metrics.map((metric) => messageSizeOf(metric)?.bytes));
    expect([...sizes]).toEqual(Array.from({ length: 23 }, (_, index) => 2 ** (index + 1)));
  });

  it('of both directions has names of its own, and six digits where it is small', () => {
    expect(valuesOf(read('6.06-read-bw-bidirectional-gbits.txt'))).toMatchObject({
      'ib_read_bw.bidirectional.average.64': [0.003012],
      'ib_read_bw.bidirectional.average.65536': [1.46],
    });
  });

  it('of a slow link comes from the message rate, as two decimals say nothing', () => {
    const table = (row: string): string[] => [
      ' #bytes     #iterations    BW peak[MB/sec]    BW average[MB/sec]   MsgRate[Mpps]',
      ` ${row}`,
      '-'.repeat(87),
    ];
    const named = (row: string) =>
      readPerftest(table(row)).metrics.map(({ name, samples }) => [name, ...samples.map((each) => each.toFixed(6))]);
    expect(named('64 200 0.01 0.00 0.000071')).toEqual([
      ['perftest_bw.peak.64', '0.010000'],
      ['perftest_bw.average.64', '0.004333'],
      ['perftest_bw.rate.64', '0.000071'],
    ]);
    expect(named('64 200 0.00 0.00 0.000000')).toEqual([['perftest_bw.rate.64', '0.000000']]);
    expect(named('64 200 0.30 0.25 0.004096')).toContainEqual(['perftest_bw.average.64', '0.250000']);
  });

  it('of an endless test is one sample for each interval, without the peak that is not measured', () => {
    const values = valuesOf(read('6.06-write-bw-infinite.txt'));
    expect(values['ib_write_bw.average.65536']).toEqual([89.01, 90.02, 86.13]);
    expect(Object.keys(values)).not.toContain('ib_write_bw.peak.65536');
  });

  it('is taken from the client where both sides printed it', () => {
    const report = read('6.06-server-and-client.txt');
    expect(report.runs.map(({ role }) => role)).toEqual(['server', 'client']);
    expect(valuesOf(report)['ib_write_bw.average.4096']).toEqual([0.24]);
  });

  it('has extra columns: processor, service level, ports', () => {
    expect(valuesOf(read('6.06-cpu-util-and-levels.txt'))).toMatchObject({
      'ib_write_bw.cpu.65536': [43.1],
      'ib_write_bw.average.65536': [11.51],
      'ib_write_bw.average.sl3.65536': [70.25],
    });
    expect(valuesOf(read('6.06-dual-port.txt'))).toMatchObject({ 'ib_write_bw.average.port2.65536': [98.75] });
  });
});

describe('latency', () => {
  it('has seven columns, less being better', () => {
    const { metrics } = read('6.06-send-lat.txt');
    expect(metrics.slice(7).map(({ name, samples }) => [name, ...samples])).toEqual([
      ['ib_send_lat.min.64', 55.1],
      ['ib_send_lat.max.64', 9120.4],
      ['ib_send_lat.typical.64', 77.31],
      ['ib_send_lat.average.64', 398.5],
      ['ib_send_lat.stdev.64', 1002.25],
      ['ib_send_lat.p99.64', 8001.5],
      ['ib_send_lat.p99.9.64', 9120.4],
    ]);
    expect(new Set(metrics.map(({ better, unit }) => `${better} ${unit}`))).toEqual(new Set(['lower us']));
  });

  it('by time has an average and a rate of transactions', () => {
    expect(valuesOf(read('6.06-write-lat-duration.txt'))).toEqual({
      'ib_write_lat.average.64': [121.25],
      'ib_write_lat.transactions.64': [8247.42],
    });
  });

  it('without a title keeps its figures under a name that says so', () => {
    expect(valuesOf(read('no-table-title.txt'))['perftest_lat.typical.64']).toEqual([76.28]);
  });
});

describe('the JSON form', () => {
  it('of 6.06 is no JSON and is read all the same; the unit follows from size and rate', () => {
    expect(() => JSON.parse(readFileSync(`${FOLDER}6.06-write-bw.json.txt`, 'utf8')) as unknown).toThrow(SyntaxError);
    const { metrics, runs } = read('6.06-write-bw.json.txt');
    expect(runs).toMatchObject([{ form: 'json', dialect: '6.06', settings: { Device: 'rxe0', 'TX depth': '100' } }]);
    expect(metrics.find(({ name }) => name === 'ib_write_bw.average.4096')).toMatchObject({
      unit: 'Gb/s',
      samples: [0.25],
    });
    expect(valuesOf(read('6.06-send-lat.json.txt'))).toMatchObject({ 'ib_send_lat.p99.9.64': [9120.4] });
  });

  it('of later versions has quoted keys, but not all of them', () => {
    const plain = read('later-write-bw.json.txt');
    expect(plain.runs[0]?.dialect).toBe('later');
    expect(plain.metrics.find(({ name }) => name === 'ib_write_bw.average.65536')).toMatchObject({ unit: 'MiB/s' });
    expect(valuesOf(read('later-write-bw-levels.json.txt'))).toMatchObject({ 'ib_write_bw.average.sl3.65536': [97.1] });
  });

  it('of the same test does not count a second time', () => {
    const text = ['6.06-server-and-client.txt', '6.06-write-bw.json.txt'].map((name) =>
      readFileSync(`${FOLDER}${name}`, 'utf8'),
    );
    const report = readPerftest(text.join('').split('\n'));
    expect(report.runs).toHaveLength(3);
    expect(valuesOf(report)['ib_write_bw.average.4096']).toEqual([0.24]);
  });

  it('does not swallow a table behind one that has no end', () => {
    const text = ['failed-cut.json.txt', '6.06-write-bw-odp.txt'].map((name) =>
      readFileSync(`${FOLDER}${name}`, 'utf8'),
    );
    const report = readPerftest(text.join('').split('\n'));
    expect(problemsOf(report)).toEqual(['incomplete']);
    expect(valuesOf(report)['ib_write_bw.average.65536']).toEqual([11.51]);
  });

  it.each([
    [65536, 14948.67, 0.239179, 'MiB/s'],
    [4096, 0.25, 0.007735, 'Gb/s'],
    [4096, 1, 0.007735, null],
    [4096, 0, 0, null],
    [4096, Number.NaN, 1, null],
  ] as const)('%i bytes, %f, %f Mpps: %s', (bytes, average, rate, unit) => {
    expect(unitOfBandwidth(bytes, average, rate)).toBe(unit);
  });
});

describe('what went wrong', () => {
  it.each([
    ['failed-no-peer.txt', ['no-peer']],
    ['failed-real-6.06-no-device.txt', ['device']],
    ['failed-real-6.06-option.txt', ['options']],
    ['failed-real-6.06-completion.txt', ['completion']],
    ['failed-real-6.06-completion-server.txt', ['completion']],
    ['failed-real-6.06-peer-lost.txt', ['peer-lost']],
    ['failed-qp.txt', ['qp', 'no-peer']],
    ['failed-odp.txt', ['odp', 'options']],
    ['failed-odp-device.txt', ['odp', 'setup']],
    ['failed-versions.txt', ['versions', 'peer-lost']],
    ['failed-completion.txt', ['completion']],
    ['failed-value.txt', ['value']],
    ['failed-mixed-lines.txt', ['row']],
    ['failed-cut.txt', ['incomplete']],
    ['failed-cut.json.txt', ['incomplete']],
  ])('%s', (name, ids) => {
    expect(problemsOf(read(name))).toEqual(ids);
  });

  it('is nothing where perftest did not run', () => {
    expect(read('no-perftest.txt')).toEqual({ runs: [], metrics: [], problems: [], outcome: 'empty' });
  });

  it('keeps the good values of a row beside one that is no number', () => {
    const { metrics } = read('failed-value.txt');
    expect(metrics.map(({ name }) => name)).not.toContain('ib_send_lat.average.2');
    expect(metrics).toHaveLength(5);
  });
});

describe('limits', () => {
  const title = '                    RDMA_Write BW Test';
  const header = ' #bytes     #iterations    BW peak[MB/sec]    BW average[MB/sec]   MsgRate[Mpps]';

  it('keeps a bounded number of rows, runs and metrics, and says what it left out', () => {
    const rows = Array.from({ length: PERFTEST_ROWS_MAX + 5 }, (_, at) => ` ${at + 1} 10 1.00 1.00 1.000000`);
    const many = readPerftest([title, header, ...rows]);
    expect(many.runs[0]?.rows).toHaveLength(PERFTEST_ROWS_MAX);
    expect(many.metrics).toHaveLength(PERFTEST_METRICS_MAX);
    expect(many.problems).toMatchObject([{ id: 'left-out', count: 5 }]);
    const runs = readPerftest(
      Array.from({ length: PERFTEST_RUNS_MAX + 3 }, () => [title, header, rows[0] ?? '']).flat(),
    );
    expect(runs.runs).toHaveLength(PERFTEST_RUNS_MAX);
    expect(problemsOf(runs)).toEqual(['left-out']);
  });

  it.each<[string, (size: number) => string[]]>([
    ['one long line of settings', (size) => [title, ` ${'a : b  '.repeat(size / 7)}`]],
    ['many colons in a JSON', (size) => ['{', ':'.repeat(size)]],
    ['many quotes in a JSON', (size) => ['{', '"'.repeat(size)]],
    ['brackets', (size) => Array.from({ length: size / 100 }, () => '{['.repeat(50))],
    ['a JSON with many objects', (size) => ['{', ...Array.from({ length: size / 20 }, () => '{MsgSize: 1,},')]],
    ['blanks', (size) => Array.from({ length: size / 1000 }, () => ' '.repeat(1000))],
    ['headers', (size) => [title, ...Array.from({ length: size / 100 }, () => '#bytes '.repeat(14))]],
    ['messages', (size) => Array.from({ length: size / 30 }, () => " Couldn't connect to 10.0.0.1:1")],
  ])('takes linear time: %s', async (_name, linesOf) => {
    const growth = await growthOf(
      (size) => linesOf(size).join('\n'),
      (text) => readPerftest(text.split('\n')),
    );
    expect(growth.perDoubling, JSON.stringify(growth)).toBeLessThan(3);
  });
});
