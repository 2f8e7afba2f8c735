import { describe, expect, it } from 'vitest';
import type { ComparedMetric, Comparison } from '../../schema/compare.js';
import type { Grid } from '../../schema/grid.js';
import { seriesId, sizeSeries } from '../size-series.js';
import { renderComparison } from './comparison.js';
import { metricCells, overviewCells } from './markdown.js';
import { machineMetrics } from './metrics.js';
import { renderSizes, sizesCsv } from './sizes.js';

/** Metrics of one name that two roles of a job measured, beside those of a job on one machine. */
const uuid = '00000000-0000-4000-8000-000000000000';
const identity: Comparison['combinations'][number]['combination']['identity'] = {
  provider: 'p',
  client: 'c',
  pathKind: 'BUS_ADDR',
  platform: { system: 'A server', cpuVendor: 'v', cpuFamily: 1, iommu: 'translated' },
};
const kernel = { id: uuid, name: 'b', release: null, buildId: null, git: null };

describe('a comparison', () => {
  const spread = (median: number) => ({ median, lowest: median, highest: median, boots: 1, n: 1, attemptId: uuid });
  const sized = (bytes: number, a: number, b: number, role?: string): ComparedMetric => ({
    suite: 's',
    name: `bw.${bytes}`,
    ...(role === undefined ? {} : { role }),
    size: { series: 'bw', bytes },
    unit: 'MiB/s',
    better: 'higher',
    combination: 0,
    a: spread(a),
    b: spread(b),
    ratio: { value: b / a, low: null, high: null },
    says: 'unclear',
    why: 'few-boots',
    p: null,
    least: 0.01,
    noise: null,
    moreBoots: 3,
  });
  const side: Comparison['a'] = {
    run: { id: uuid, name: 'r', state: 'ended', createdAt: '2026-11-30T10:00:00.000Z' },
    kernel,
    builds: ['b'],
  };
  const comparison = (...metrics: ComparedMetric[]): Comparison => ({
    a: side,
    b: side,
    combinations: [{ combination: { hash: '0'.repeat(64), label: 'here', identity }, counts: {} as never }],
    rows: [],
    rowsTotal: 0,
    metrics,
    metricsTotal: metrics.length,
  });
  const metrics = [sized(64, 1, 2, 'client'), sized(64, 10, 11, 'server'), sized(128, 3, 4, 'client'), sized(64, 7, 8)];

  it('has a series for each role, and each is known by its own key', () => {
    const series = sizeSeries(metrics);
    expect(series.map(({ role, points }) => [role, points.map(({ metric }) => metric.a?.median)])).toEqual([
      ['client', [1, 3]],
      ['server', [10]],
      [undefined, [7]],
    ]);
    expect(new Set(series.map(seriesId)).size).toBe(3);
    expect(series.map((each) => 'role' in each)).toEqual([true, true, false]);
  });

  it('calls each by its role, in the table and by message size', () => {
    const text = renderComparison(comparison(...metrics));
    for (const name of ['bw.64 (client)', 'bw.64 (server)', 'bw.128 (client)', 'bw.64'])
      expect(text).toContain(`| s/${name} (MiB/s, higher is better) | here |`);
    const sizes = renderSizes(comparison(...metrics));
    expect(sizes.match(/^### .*$/gm)).toEqual([
      '### s/bw (client) on here',
      '### s/bw (server) on here',
      '### s/bw on here',
    ]);
  });

  it('says in CSV which role measured, and has no such column where every job has one', () => {
    const [head, ...lines] = sizesCsv(comparison(...metrics)).split('\r\n');
    expect(head).toMatch(/^suite,series,measured_by,unit,better,combination,bytes,a_kernel,a_median,/);
    expect(lines.slice(0, 4).map((line) => line.split(',').slice(0, 9))).toEqual([
      ['s', 'bw', 'client', 'MiB/s', 'higher', 'here', '64', 'b', '1'],
      ['s', 'bw', 'client', 'MiB/s', 'higher', 'here', '128', 'b', '3'],
      ['s', 'bw', 'server', 'MiB/s', 'higher', 'here', '64', 'b', '10'],
      ['s', 'bw', '', 'MiB/s', 'higher', 'here', '64', 'b', '7'],
    ]);
    expect(sizesCsv(comparison(sized(64, 1, 2)))).toMatch(/^suite,series,unit,better,combination,bytes,a_kernel/);
  });
});

describe('the report', () => {
  const value = (median: number) => ({ median, lowerQuartile: median, upperQuartile: median, n: 1 });
  const metric = (name: string, role: string, median: number): Grid['metrics'][number] => ({
    suite: 's',
    test: 't',
    name,
    role,
    unit: 'ns',
    better: 'lower',
    noise: {},
    values: [value(median)],
  });
  const grid = {
    columns: [
      { attemptId: uuid, runId: uuid, build: { ...kernel, features: [] }, combination: { hash: 'h', identity } },
    ],
    metrics: [
      metric('map.alias', 'client', 6),
      metric('map.alias', 'server', 40),
      metric('map.ram', 'client', 2),
      metric('map.ram', 'server', 10),
    ],
  } as unknown as Grid;
  const place = {
    machine: 'server m1, client m2',
    build: 'server b, client b',
    name: 'server m1/b, client m2/b',
    topology: '',
    pathKind: 'BUS_ADDR',
    iommu: 'none',
    config: 'c',
  };
  const machines = machineMetrics(grid, [place]);

  it('compares an access with RAM as the same role has it', () => {
    expect(machines[0]?.rows.map(({ name, role, values: [at] }) => [name, role, at?.median, at?.toRam])).toEqual([
      ['map.alias', 'client', 6, 3],
      ['map.alias', 'server', 40, 4],
      ['map.ram', 'client', 2, null],
      ['map.ram', 'server', 10, null],
    ]);
  });

  it('has a line for each role, also among the ratios of alias metrics', () => {
    expect(machines.flatMap((machine) => metricCells(machine).rows.map(([name]) => name))).toEqual([
      'map.alias (client)',
      'map.alias (server)',
      'map.ram (client)',
      'map.ram (server)',
    ]);
    expect(overviewCells(machines).rows).toEqual([
      ['map.alias (client)', '×3 RAM'],
      ['map.alias (server)', '×4 RAM'],
    ]);
  });
});
