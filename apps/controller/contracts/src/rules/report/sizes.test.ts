import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  messageSizeOf,
  renderComparison,
  renderSizes,
  sizeSeries,
  sizesCsv,
  sizeText,
  type ComparedMetric,
  type Comparison,
} from '../../index.js';

const spread = (median: number, boots = 5) => ({
  median,
  lowest: median * 0.9,
  highest: median * 1.1,
  boots,
  n: boots * 3,
  attemptId: '11111111-1111-4111-8111-111111111111',
});
const metric = (part: Partial<ComparedMetric>): ComparedMetric => ({
  suite: 'p2p-pair',
  name: 'x',
  size: null,
  unit: 'MiB/s',
  better: 'higher',
  combination: 0,
  a: spread(100),
  b: spread(250),
  ratio: { value: 2.5, low: 2.4, high: 2.6 },
  says: 'better',
  why: null,
  p: 0.01,
  least: 0.01,
  noise: null,
  moreBoots: 0,
  ...part,
});
const sized = (series: string, bytes: number, part: Partial<ComparedMetric> = {}): ComparedMetric =>
  metric({ name: `${series}.${bytes}`, size: { series, bytes }, ...part });
const side = (name: string, run = 'r') => ({
  run: { id: run, name: 'nightly', state: 'ended' as const, createdAt: '2026-11-30T10:00:00.000Z' },
  kernel: { id: name, name, release: '7.3.4', buildId: null, git: null },
  builds: ['base', 'series'],
});
const identity = {
  provider: 'gpu',
  client: 'nic',
  pathKind: 'BUS_ADDR' as const,
  platform: { system: 'Server', cpuVendor: 'AuthenticAMD', cpuFamily: 25, iommu: 'none' as const },
};
const comparison = (metrics: ComparedMetric[], part: Partial<Comparison> = {}): Comparison =>
  ({
    a: side('base'),
    b: side('series'),
    combinations: [{ combination: { hash: 'h', label: 'gpu → nic', identity }, counts: {} }],
    rows: [],
    rowsTotal: 0,
    metrics,
    metricsTotal: metrics.length,
    ...part,
  }) as Comparison;

describe('the size of a metric', () => {
  it.each([
    [
      { name: 'ib_write_bw.average.4096', params: { bytes: 4096 } },
      { series: 'ib_write_bw.average', bytes: 4096 },
    ],
    [
      { name: 'batch.alias.64', params: { pages: 64 } },
      { series: 'batch.alias', bytes: 262_144 },
    ],
    [{ name: 'fault.alias.pte', params: { pages: 4096 } }, null],
    [{ name: 'ib_write_bw.average.409', params: { bytes: 4096 } }, null],
    [{ name: '.4096', params: { bytes: 4096 } }, null],
    [{ name: 'a.-1', params: { bytes: -1 } }, null],
    [{ name: 'a.1.5', params: { bytes: 1.5 } }, null],
    [{ name: 'a.4096', params: { bytes: '4096' } }, null],
    [{ name: 'a.9007199254740991', params: { pages: Number.MAX_SAFE_INTEGER } }, null],
  ])('%o', (given, size) => {
    expect(messageSizeOf(given)).toEqual(size);
  });

  it.each([
    [1, '1 B'],
    [1000, '1000 B'],
    [4096, '4 KiB'],
    [8 * 2 ** 20, '8 MiB'],
    [2 ** 20 + 1024, '1025 KiB'],
  ])('%i bytes are %s', (bytes, text) => {
    expect(sizeText(bytes)).toBe(text);
  });
});

describe('series', () => {
  it('hold each metric with a size once, by size', () => {
    const point = fc.record({
      series: fc.constantFrom('bw', 'lat', 'x.y'),
      bytes: fc.constantFrom(1, 2, 64, 4096, 65_536),
      combination: fc.constantFrom(0, 1),
      unit: fc.constantFrom('MiB/s', 'us'),
    });
    fc.assert(
      fc.property(fc.uniqueArray(point, { selector: (each) => JSON.stringify(each) }), (points) => {
        const metrics = points.map(({ series, bytes, ...part }) => sized(series, bytes, part));
        const found = sizeSeries([...metrics, metric({})]);
        expect(new Set(found.flatMap((series) => series.points.map((each) => each.metric)))).toEqual(new Set(metrics));
        for (const { points: own, ...series } of found) {
          expect(own.map(({ bytes }) => bytes)).toEqual(own.map(({ bytes }) => bytes).toSorted((x, y) => x - y));
          for (const { metric: each } of own)
            expect([each.unit, each.combination, each.size?.series]).toEqual([
              series.unit,
              series.combination,
              series.series,
            ]);
        }
      }),
    );
  });
});

describe('for a cover letter', () => {
  const metrics = [
    sized('ib_write_bw.average', 65_536, { a: spread(9000), b: spread(11_500) }),
    sized('ib_write_bw.average', 64, {
      a: spread(1.5, 1),
      b: null,
      ratio: null,
      says: 'unclear',
      why: 'one-sided',
    }),
  ];

  it('Markdown lines up as plain text', () => {
    expect(renderSizes(comparison(metrics))).toBe(
      `## series against base, by message size

- A: \`base\`, 7.3.4, run nightly (r), 2026-11-30T10:00:00.000Z
- B: \`series\`, 7.3.4, run nightly (r), 2026-11-30T10:00:00.000Z

Both kernels were booted in turns on the same machines, in one run. Median of the boots, lowest to highest boot; n is boots, and samples of all of them. B ÷ A has its 95 % interval.

### p2p-pair/ib_write_bw.average on gpu → nic

MiB/s, higher is better

| size   |              A base |               B series |          B ÷ A |   n (A, B) |                                   |
|--------|--------------------:|-----------------------:|---------------:|-----------:|-----------------------------------|
| 64 B   |                 1.5 |                      – |              – |     1/3, – | one side only: measured on A only |
| 64 KiB | 9 000 (8 100–9 900) | 11 500 (10 350–12 650) | ×2.5 (2.4–2.6) | 5/15, 5/15 | better                            |
`,
    );
  });

  it('says where the kernels were measured in different runs, and what was left out', () => {
    const text = renderSizes(comparison(metrics, { b: side('series', 'other'), metricsTotal: 700 }));
    expect(text).toContain('The kernels were measured in different runs.');
    expect(text).toContain('2 of 700 metrics are here');
    expect(renderSizes(comparison([metric({})]))).toBe('');
  });

  it('the whole comparison has the same cells, and no name of a stranger leaves its cell', () => {
    const [sizes] = metrics;
    const hostile = metric({ suite: 'a|b\r\n| c', says: 'worse' });
    const text = renderComparison(
      comparison([...(sizes === undefined ? [] : [sizes]), hostile], { b: side('x\n## y'), metricsTotal: 9 }),
    );
    const cells = '| 9 000 (8 100–9 900) | 11 500 (10 350–12 650) | ×2.5 (2.4–2.6) | 5/15, 5/15 | better |';
    expect(text).toContain(`| p2p-pair/ib_write_bw.average.65536 (MiB/s, higher is better) | gpu → nic ${cells}`);
    expect(text.split('\n')[0]).toBe('## x ## y against base');
    expect(text).toContain('| a\\|b \\| c/x (MiB/s, higher is better) |');
    expect(text).toContain('2 of 9 metrics are here');
  });

  it('CSV has every digit, and no cell that a spreadsheet would run', () => {
    const hostile = sized('bw', 8, { suite: '=cmd|calc', a: { ...spread(1 / 3), lowest: 0.1, highest: 0.5 } });
    const [head, line, ...rest] = sizesCsv(comparison([hostile], { b: side('a "b", c') })).split('\r\n');
    expect(head?.split(',')).toHaveLength(24);
    expect(line).toBe(
      "'=cmd|calc,bw,MiB/s,higher,gpu → nic,8,base,0.3333333333333333,0.1,0.5,5,15," +
        '"a ""b"", c",250,225,275,5,15,2.5,2.4,2.6,better,,0.01',
    );
    expect(rest).toEqual(['']);
  });
});
